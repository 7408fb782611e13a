"""Exported books, read and checked by arithmetic of the tests' own."""

import csv
from collections import defaultdict
from pathlib import Path


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    """All rows of a table; the banks' tables have a file each."""
    found: list[dict[str, str]] = []
    for file in sorted(folder.glob(f"{table}*.csv")):
        with file.open(newline="") as lines:
            found += csv.DictReader(lines)
    return found


def latest(folder: Path) -> dict[str, dict[str, str]]:
    """The last version of each account."""
    found: dict[str, dict[str, str]] = {}
    for row in rows(folder, "versions"):
        known = found.get(row["account"])
        if known is None or int(row["version"]) > int(known["version"]):
            found[row["account"]] = row
    return found


def sums(folder: Path) -> dict[str, int]:
    """What each account has by its postings, fen."""
    found: dict[str, int] = defaultdict(int)
    for row in rows(folder, "postings"):
        found[row["account"]] += int(row["amount_fen"])
    return dict(found)


def assert_at_rest(folder: Path) -> None:
    """Nothing is held, every event's postings sum to zero, balances are sums of postings, and what
    the ledger calls paid is what the banks have paid."""
    events: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in rows(folder, "postings"):
        events[row["draw_key"], row["try"], row["event"]] += int(row["amount_fen"])
    assert not [event for event, fen in events.items() if fen]
    by_postings = sums(folder)
    assert not {name for name, fen in by_postings.items() if name.endswith(":held") and fen}
    for account, row in latest(folder).items():
        assert row["held_fen"] in ("", "0"), account
        if account.startswith("tier:"):
            assert by_postings[f"{account}:available"] == int(row["balance_fen"]), account
        if account.startswith("borrower:"):
            owed_fen = int(row["outstanding_fen"])
            assert by_postings.get(f"{account}:outstanding", 0) == owed_fen, account
            assert 0 <= owed_fen <= int(row["limit_fen"]), account
    tries = rows(folder, "tries")
    assert {row["state"] for row in tries} <= {"paid", "voided", "not_sent"}
    paid = sorted(row["payout_key"] for row in tries if row["state"] == "paid")
    assert paid == sorted(row["payout_key"] for row in rows(folder, "payouts"))
    by_draw = [row["draw_key"] for row in tries if row["state"] == "paid"]
    assert len(by_draw) == len(set(by_draw)), "a draw was paid twice"
