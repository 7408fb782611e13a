"""What the parsers of several commands have in common."""

import argparse
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_scenario(parser: argparse.ArgumentParser) -> None:
    """SCENARIO and what changes it."""
    parser.add_argument("scenario", type=Path, metavar="SCENARIO")
    add_changes(parser)


def add_changes(parser: argparse.ArgumentParser) -> None:
    """--set and --profile."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one value of the scenario, such as load.shape.rate=80/s",
    )
    parser.add_argument("--profile", choices=("none", "naive", "full"), help="lender.profile")


def add_folder(parser: argparse.ArgumentParser) -> None:
    """--out, --resume and --allow-exec, of commands that run many drills."""
    parser.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where its folder goes"
    )
    parser.add_argument(
        "--resume", type=Path, metavar="FOLDER", help="go on in the folder of an earlier call"
    )
    parser.add_argument("--allow-exec", action="store_true", help="as for run")
