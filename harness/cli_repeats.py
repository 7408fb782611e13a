"""The parsers of the commands that run a drill many times."""

import argparse
from pathlib import Path

from harness.ablate import ablate_command
from harness.attribute_faults import attribute_command
from harness.baselines import gate_command, set_command, show_command
from harness.cli_words import Commands, add_changes, add_folder, add_scenario
from harness.compare_runs import How, Side, compare_command
from harness.repeat_run import repeat_command

EXITS = (
    "exit codes: 0 better or same, 1 worse, 2 usage or scenario error, 3 cannot tell or "
    "interrupted, 4 a fault was left behind, 5 harness"
)
STORE = Path("baselines")


def add_repeats(commands: Commands) -> None:
    """compare, gate, baseline, ablate, attribute."""
    _add_compare(commands)
    _add_gate(commands)
    _add_baseline(commands)
    _add_ablate(commands)
    _add_attribute(commands)


def _add_compare(commands: Commands) -> None:
    compare = commands.add_parser(
        "compare", help="is the candidate better, the same or worse, over pairs?", epilog=EXITS
    )
    compare.add_argument(
        "base", type=Path, metavar="BASE", help="a run, a folder of runs, or a scenario"
    )
    compare.add_argument(
        "candidate", type=Path, nargs="?", metavar="CANDIDATE",
        help="default: the scenario BASE; runs are compared with other runs",
    )  # fmt: skip
    compare.add_argument(
        "--pairs", type=_pairs, default=8, metavar="N", help="of drills, 1 to 100 (default 8)"
    )
    add_changes(compare)
    for side in ("base", "candidate"):
        compare.add_argument(
            f"--{side}-set", action="append", default=[], metavar="KEY=VALUE",
            help=f"change one value of the scenario for the {side} alone",
        )  # fmt: skip
        compare.add_argument(
            f"--{side}-lender", type=Path, metavar="PATH",
            help="a checkout of drawproof, or an interpreter that has one, to run its drills",
        )  # fmt: skip
    _add_how(compare)
    compare.set_defaults(command=_compare)


def _add_gate(commands: Commands) -> None:
    gate = commands.add_parser(
        "gate", help="drill a scenario now and compare it with a stored baseline", epilog=EXITS
    )
    add_scenario(gate)
    gate.add_argument(
        "--baseline", metavar="NAME", help="which one (default: named as the scenario)"
    )
    gate.add_argument(
        "--pairs", type=_pairs, metavar="N", help="default: as many as the baseline has runs"
    )
    gate.add_argument("--lender", type=Path, metavar="PATH", help="as --candidate-lender")
    _add_store(gate)
    _add_how(gate)
    gate.set_defaults(command=_gate)


def _add_baseline(commands: Commands) -> None:
    baseline = commands.add_parser("baseline", help="runs kept to compare later ones with")
    actions = baseline.add_subparsers(required=True, metavar="set|show")
    put = actions.add_parser("set", help="make runs the baseline NAME, or move it to them")
    put.add_argument("name", metavar="NAME")
    put.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="runs or folders of runs")
    _add_store(put)
    put.set_defaults(command=_set)
    show = actions.add_parser("show", help="what a baseline is made of; without NAME, all of them")
    show.add_argument("name", nargs="?", metavar="NAME")
    _add_store(show)
    show.set_defaults(command=_show)


def _add_ablate(commands: Commands) -> None:
    ablate = commands.add_parser(
        "ablate",
        help="what each protection is worth, in draws, money and recovery",
        epilog="exit codes: 0 measured, 1 money was wrong in a run of full, 2 usage or scenario "
        "error, 3 the headline, full against naive, can't be told, 5 harness",
    )
    ablate.add_argument("scenario", type=Path, metavar="SCENARIO")
    ablate.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as for run"
    )
    ablate.add_argument(
        "--repeat", type=_pairs, default=6, metavar="N", help="rounds, a seed each (default 6)"
    )
    ablate.add_argument(
        "--only", default="", metavar="NAMES", help="these protections, with commas between"
    )
    add_folder(ablate)
    ablate.set_defaults(command=_ablate)


def _add_attribute(commands: Commands) -> None:
    attribute = commands.add_parser(
        "attribute",
        help="what each fault of a drill cost, by leaving out one at a time",
        epilog="exit codes: 0 measured, 1 money was wrong in a drill, 2 usage or scenario error, "
        "3 no round could be used, 5 harness",
    )
    add_scenario(attribute)
    attribute.add_argument(
        "--repeat", type=_pairs, default=6, metavar="N", help="rounds, a seed each (default 6)"
    )
    add_folder(attribute)
    attribute.set_defaults(command=_attribute)


def _add_how(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--primary", metavar="MEASURE", help="the measure that decides (default drill.guarantee)"
    )
    parser.add_argument(
        "--margin", action="append", default=[], metavar="MEASURE=VALUE",
        help="the smallest difference that matters, such as 'drill.guarantee=0.5 %%'",
    )  # fmt: skip
    add_folder(parser)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", type=Path, default=STORE, metavar="DIR", help="where baselines lie (baselines)"
    )


def _pairs(text: str) -> int:
    try:
        number = int(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number") from exc
    if not 1 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{text!r}: from 1 to 100")
    return number


def _how(arguments: argparse.Namespace) -> How:
    return How(
        arguments.primary, tuple(arguments.margin), arguments.out, arguments.resume,
        arguments.allow_exec,
    )  # fmt: skip


def _compare(arguments: argparse.Namespace) -> int:
    base = Side(
        arguments.base, (*arguments.set, *arguments.base_set), arguments.profile,
        arguments.base_lender,
    )  # fmt: skip
    candidate = Side(
        arguments.candidate or arguments.base, (*arguments.set, *arguments.candidate_set),
        arguments.profile, arguments.candidate_lender,
    )  # fmt: skip
    return compare_command(base, candidate, arguments.pairs, _how(arguments))


def _gate(arguments: argparse.Namespace) -> int:
    side = Side(arguments.scenario, tuple(arguments.set), arguments.profile, arguments.lender)
    return gate_command(side, arguments.baseline, arguments.store, arguments.pairs, _how(arguments))


def _set(arguments: argparse.Namespace) -> int:
    return set_command(arguments.name, arguments.runs, arguments.store)


def _show(arguments: argparse.Namespace) -> int:
    return show_command(arguments.name, arguments.store)


def _ablate(arguments: argparse.Namespace) -> int:
    only = [name.strip() for name in arguments.only.split(",") if name.strip()]
    return ablate_command(
        Side(arguments.scenario, tuple(arguments.set)), only, arguments.repeat, _folder(arguments)
    )


def _attribute(arguments: argparse.Namespace) -> int:
    side = Side(arguments.scenario, tuple(arguments.set), arguments.profile)
    return attribute_command(side, arguments.repeat, _folder(arguments))


def repeat(arguments: argparse.Namespace) -> int:
    """`drawproof run --repeat N`."""
    side = Side(arguments.scenario, tuple(arguments.set), arguments.profile)
    return repeat_command(side, arguments.repeat, _folder(arguments))


def _folder(arguments: argparse.Namespace) -> How:
    return How(None, (), arguments.out, arguments.resume, arguments.allow_exec)
