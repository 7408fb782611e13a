"""The parsers of the commands over the catalogue of drills."""

import argparse
from pathlib import Path

from harness.cli_words import Commands, add_folder
from harness.repeats.book import check_resume
from harness.scenario.entry import FULL_SET, ON
from harness.scenario.model import PROFILES
from harness.suite.catalogue import LISTED, SET_NAMES
from harness.suite_run import ARMS, Asked, list_command, suite_command

SCENARIOS = Path("scenarios")
EXITS = """exit codes: 0 all held, 1 one was breached, 2 usage or scenario error, 3 one is in
doubt, or a drill's check of itself failed, 4 aborted for safety, 5 harness or target error"""


def add_suite(commands: Commands) -> None:
    """list, suite."""
    listing = commands.add_parser("list", help="the drills: class, title, sets, run time")
    listing.add_argument(
        "--set", dest="name", default=FULL_SET, metavar="SET",
        help=f"one of {', '.join(SET_NAMES)} (default {FULL_SET})",
    )  # fmt: skip
    _add_scenarios(listing)
    listing.set_defaults(command=_list)
    suite = commands.add_parser(
        "suite", help="run a set of drills and end in one verdict", epilog=EXITS
    )
    suite.add_argument("name", metavar="SET", help=f"one of {', '.join(SET_NAMES)}")
    _add_scenarios(suite)
    suite.add_argument(
        "--arm", choices=ARMS, default=ON,
        help="on: the drills as they stand (default); off: their second arms; both: and check that "
        "they differ; mutations: check that one thing off breaks exactly the line it should",
    )  # fmt: skip
    suite.add_argument("--profile", choices=PROFILES, help="lender.profile of every drill")
    suite.add_argument(
        "--order", default=LISTED, metavar="ORDER",
        help="listed (default), reversed, or a whole number to shuffle by",
    )  # fmt: skip
    suite.add_argument(
        "--reseed", type=_reseed, default=0, metavar="N",
        help="add N to every drill's seed: the same drills with other draws (default 0)",
    )  # fmt: skip
    add_folder(suite)
    suite.set_defaults(command=_suite)


def _add_scenarios(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scenarios", type=Path, default=SCENARIOS, metavar="DIR",
        help="the folder of drills (default scenarios)",
    )  # fmt: skip


def _reseed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0")
    return int(text)


def _list(arguments: argparse.Namespace) -> int:
    return list_command(arguments.scenarios, arguments.name)


def _suite(arguments: argparse.Namespace) -> int:
    check_resume(arguments.resume)
    return suite_command(
        Asked(
            arguments.name, arguments.scenarios, arguments.arm, arguments.profile,
            arguments.order, arguments.out, arguments.resume, arguments.allow_exec,
            arguments.reseed,
        )
    )  # fmt: skip
