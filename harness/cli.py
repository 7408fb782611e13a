"""The command `drawproof`: its words, its exit codes, and the one place that exits."""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.cli_repeats import add_repeats, repeat
from harness.cli_suite import add_suite
from harness.cli_words import Commands, add_changes, add_scenario
from harness.commands import (
    Permission,
    explain_command,
    heal_command,
    plan_command,
    recheck_command,
    run_command,
    stop_command,
    validate_command,
)
from harness.environment import version
from harness.errors import DrawproofError
from harness.find_capacity import Asked, find_capacity
from harness.given_runs import mistake
from harness.lender_up import lender_up, stock_of
from harness.proxy.alone import Asked as ProxyAsked
from harness.proxy.alone import proxy_alone
from harness.terminal import plain_lines
from harness.units import parse_duration_s, parse_rate_per_s

EXITS = """exit codes: 0 held, 1 breached, 2 usage or scenario error, 3 inconclusive,
4 aborted for safety or a fault would not heal, 5 harness or target error"""
NOBODY_READS = 128 + signal.SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return _answered(arguments)
    except BrokenPipeError:  # `drawproof recheck RUN | head`: nobody reads any more
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return NOBODY_READS


def _answered(arguments: argparse.Namespace) -> int:
    """The command's exit code, with a line for each way to fail. Raises BrokenPipeError."""
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        code = command(arguments)
        sys.stdout.flush()
        return code
    except DrawproofError as exc:
        print(f"drawproof: {plain_lines(str(exc))}", file=sys.stderr)
        return exc.exit_code
    except KeyboardInterrupt:
        print("drawproof: interrupted", file=sys.stderr)
        return 3
    except BrokenPipeError:
        raise
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
    mine = version("drawproof") or "of a checkout that is not installed"
    parser.add_argument("--version", action="version", version=f"drawproof {mine}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    recheck = commands.add_parser("recheck", help="judge a run directory again, from its evidence")
    recheck.add_argument("run", type=Path, metavar="RUN")
    recheck.set_defaults(command=_recheck)
    explain = commands.add_parser(
        "explain", help="tell one draw's story hop by hop, or list the broken draws"
    )
    explain.add_argument("run", type=Path, metavar="RUN")
    explain.add_argument("--draw", metavar="KEY", help="the draw's key, its beginning or number")
    explain.set_defaults(command=_explain)
    add_repeats(commands)
    add_suite(commands)
    _add_capacity(commands)
    _add_lender(commands)
    _add_proxy(commands)
    heal = commands.add_parser("heal", help="undo what a dead run left behind")
    heal.add_argument("run", type=Path, metavar="RUN")
    heal.set_defaults(command=_heal)
    stop = commands.add_parser(
        "stop", help="end a drill under way: heal, no more load, drain; its exit code is 4"
    )
    stop.add_argument("run", type=Path, metavar="RUN")
    stop.add_argument(
        "--within", type=_hold, default=120.0, metavar="TIME", help="how long to wait (120s)"
    )
    stop.set_defaults(command=_stop)
    validate = commands.add_parser("validate", help="check a scenario; starts nothing")
    add_scenario(validate)
    validate.set_defaults(command=_validate)
    plan = commands.add_parser("plan", help="draw what a scenario plans; starts nothing")
    add_scenario(plan)
    plan.set_defaults(command=_plan)
    return parser


def _add_run(commands: Commands) -> None:
    run = commands.add_parser("run", help="run one drill and judge it", epilog=EXITS)
    add_scenario(run)
    run.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where run directories go"
    )
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be injected, when, and how it would be undone; start nothing",
    )
    run.add_argument(
        "--allow-exec",
        action="store_true",
        help="allow faults that run what the scenario names, or signal what we did not start",
    )
    run.add_argument(
        "--repeat",
        type=int,
        choices=range(1, 101),
        metavar="N",
        help="run it N times, a seed each: the spread of its figures, and a vote",
    )
    run.add_argument(
        "--resume", type=Path, metavar="FOLDER", help="with --repeat: go on in that folder"
    )
    run.set_defaults(command=_run)


def _add_capacity(commands: Commands) -> None:
    capacity = commands.add_parser(
        "capacity",
        help="raise the rate until the steady state breaks",
        epilog="exit codes: 0 the knee is known, 1 money was wrong, 2 usage or scenario error, "
        "3 the knee is not known, 5 harness or target error",
    )
    add_scenario(capacity)
    capacity.add_argument(
        "--from",
        type=_rate,
        dest="first",
        metavar="RATE",
        help="first rate tried, such as 50/s; default: the scenario's own",
    )
    capacity.add_argument(
        "--to",
        type=_rate,
        default=2000.0,
        dest="most",
        metavar="RATE",
        help="no higher rate is tried (default 2000/s)",
    )
    capacity.add_argument(
        "--hold",
        type=_hold,
        default=12.0,
        metavar="TIME",
        help="how long each rate is held (default 12s)",
    )
    capacity.add_argument(
        "--repeat",
        type=int,
        choices=range(1, 21),
        default=3,
        metavar="N",
        help="searches, each with a seed of its own (default 3)",
    )
    capacity.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where its folder goes"
    )
    capacity.set_defaults(command=_capacity)


def _rate(text: str) -> float:
    try:
        rate_per_s = parse_rate_per_s(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r}: {exc}") from exc
    if not 1 <= rate_per_s <= 5000:
        raise argparse.ArgumentTypeError(f"{text!r}: from 1/s to 5000/s")
    return rate_per_s


def _hold(text: str) -> float:
    try:
        seconds = parse_duration_s(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r}: {exc}") from exc
    if not 5 <= seconds <= 600:
        raise argparse.ArgumentTypeError(f"{text!r}: from 5s to 10min")
    return seconds


def _capacity(arguments: argparse.Namespace) -> int:
    return find_capacity(
        Asked(
            scenario=arguments.scenario,
            overrides=tuple(arguments.set),
            profile=arguments.profile,
            first_per_s=arguments.first,
            most_per_s=arguments.most,
            hold_s=arguments.hold,
            searches=arguments.repeat,
            out=arguments.out,
        )
    )


def _add_lender(commands: Commands) -> None:
    lender = commands.add_parser("lender", help="the mock lender alone")
    actions = lender.add_subparsers(required=True, metavar="up")
    up = actions.add_parser("up", help="start it, print its URL, stop it with Ctrl-C")
    up.add_argument(
        "--scenario",
        type=Path,
        metavar="SCENARIO",
        help="with the borrowers, tiers, capacity and profile of this scenario; injects no fault",
    )
    add_changes(up)
    up.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    up.set_defaults(command=_lender_up)


def _add_proxy(commands: Commands) -> None:
    proxy = commands.add_parser(
        "proxy",
        help="the fault proxy alone, driven by any Toxiproxy client",
        epilog="exit codes: 0 stopped by Ctrl-C or SIGTERM, 2 usage error. See docs/proxy.md.",
    )
    proxy.add_argument(
        "--listen",
        default="127.0.0.1:8474",
        metavar="HOST:PORT",
        help="where the API listens, on loopback (default 127.0.0.1:8474)",
    )
    proxy.add_argument(
        "--config", type=Path, metavar="FILE", help="proxies to begin with, JSON as for /populate"
    )
    proxy.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of toxicity and jitter (default 0)"
    )
    who = proxy.add_mutually_exclusive_group(required=True)
    who.add_argument(
        "--no-token",
        action="store_true",
        help="any program on this machine may use it, as stock Toxiproxy clients need it",
    )
    who.add_argument(
        "--token-file", type=Path, metavar="FILE", help="only who sends what it says as X-Token"
    )
    proxy.set_defaults(command=_proxy)


def _proxy(arguments: argparse.Namespace) -> int:
    return proxy_alone(
        ProxyAsked(arguments.listen, arguments.config, arguments.seed, arguments.token_file)
    )


def _run(arguments: argparse.Namespace) -> int:
    if arguments.repeat is not None and not arguments.dry_run:
        return repeat(arguments)
    if arguments.resume is not None:
        raise mistake("--resume", f"{str(arguments.resume)!r} alone", "with --repeat N, to be run")
    permission = Permission(dry_run=arguments.dry_run, allow_exec=arguments.allow_exec)
    return run_command(
        arguments.scenario, arguments.set, arguments.profile, arguments.out, permission
    )


def _recheck(arguments: argparse.Namespace) -> int:
    return recheck_command(arguments.run)


def _explain(arguments: argparse.Namespace) -> int:
    return explain_command(arguments.run, arguments.draw)


def _heal(arguments: argparse.Namespace) -> int:
    return heal_command(arguments.run)


def _stop(arguments: argparse.Namespace) -> int:
    return stop_command(arguments.run, arguments.within)


def _validate(arguments: argparse.Namespace) -> int:
    return validate_command(arguments.scenario, arguments.set, arguments.profile)


def _plan(arguments: argparse.Namespace) -> int:
    return plan_command(arguments.scenario, arguments.set, arguments.profile)


def _lender_up(arguments: argparse.Namespace) -> int:
    stock = stock_of(arguments.scenario, arguments.set, arguments.profile)
    return lender_up(stock, arguments.out)


if __name__ == "__main__":
    sys.exit(main())
