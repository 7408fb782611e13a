"""The command `drawproof`: its words, its exit codes, and the one place that exits."""

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.commands import (
    heal_command,
    plan_command,
    recheck_command,
    run_command,
    validate_command,
)
from harness.errors import DrawproofError
from harness.lender_up import lender_up

EXITS = """exit codes: 0 held, 1 breached, 2 usage or scenario error, 3 inconclusive,
4 aborted for safety or a fault would not heal, 5 harness or target error"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the exit code."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except DrawproofError as exc:
        print(f"drawproof: {exc}", file=sys.stderr)
        return exc.exit_code
    except KeyboardInterrupt:
        print("drawproof: interrupted", file=sys.stderr)
        return 3
    except Exception:  # noqa: BLE001  a defect of ours must not end as exit 1, "breached"
        traceback.print_exc()
        print(
            "drawproof: this is a defect of drawproof itself; nothing was judged", file=sys.stderr
        )
        return 5


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="drawproof",
        description="When something breaks at peak: who was promised quota and could not draw?",
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    recheck = commands.add_parser("recheck", help="judge a run directory again, from its evidence")
    recheck.add_argument("run", type=Path, metavar="RUN")
    recheck.set_defaults(command=_recheck)
    _add_lender(commands)
    heal = commands.add_parser("heal", help="undo what a dead run left behind")
    heal.add_argument("run", type=Path, metavar="RUN")
    heal.set_defaults(command=_heal)
    validate = commands.add_parser("validate", help="check a scenario; starts nothing")
    _add_scenario(validate)
    validate.set_defaults(command=_validate)
    plan = commands.add_parser("plan", help="draw what a scenario plans; starts nothing")
    _add_scenario(plan)
    plan.set_defaults(command=_plan)
    return parser


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = commands.add_parser("run", help="run one drill and judge it", epilog=EXITS)
    _add_scenario(run)
    run.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where run directories go"
    )
    run.set_defaults(command=_run)


def _add_scenario(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", type=Path, metavar="SCENARIO")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one value of the scenario, such as load.shape.rate=80/s",
    )
    parser.add_argument("--profile", choices=("none", "naive", "full"), help="lender.profile")


def _add_lender(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    lender = commands.add_parser("lender", help="the mock lender alone")
    actions = lender.add_subparsers(required=True, metavar="up")
    up = actions.add_parser("up", help="start it, print its URL, stop it with Ctrl-C")
    up.add_argument("--profile", choices=("none", "naive", "full"), default="full")
    up.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    up.set_defaults(command=_lender_up)


def _run(arguments: argparse.Namespace) -> int:
    return run_command(arguments.scenario, arguments.set, arguments.profile, arguments.out)


def _recheck(arguments: argparse.Namespace) -> int:
    return recheck_command(arguments.run)


def _heal(arguments: argparse.Namespace) -> int:
    return heal_command(arguments.run)


def _validate(arguments: argparse.Namespace) -> int:
    return validate_command(arguments.scenario, arguments.set, arguments.profile)


def _plan(arguments: argparse.Namespace) -> int:
    return plan_command(arguments.scenario, arguments.set, arguments.profile)


def _lender_up(arguments: argparse.Namespace) -> int:
    return lender_up(arguments.profile, arguments.out)


if __name__ == "__main__":
    sys.exit(main())
