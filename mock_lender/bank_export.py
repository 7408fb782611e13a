"""A bank's book as CSV, read beside the running bank (SQLite's WAL allows that)."""

import csv
import sqlite3
from pathlib import Path

QUERIES = {
    "payouts": "SELECT payout_key, draw_key, amount_fen, paid_ns FROM payouts ORDER BY payout_key",
    "tombstones": "SELECT payout_key, closed_ns FROM tombstones ORDER BY payout_key",
}
HEADERS = {
    "payouts": ("bank", "payout_key", "draw_key", "amount_fen", "paid_ns"),
    "tombstones": ("bank", "payout_key", "closed_ns"),
}


def export_bank(book: Path, bank: str, directory: Path) -> None:
    """`payouts.BANK.csv` and `tombstones.BANK.csv`. Raises sqlite3.Error for an unreadable book."""
    connection = sqlite3.connect(f"file:{book}?mode=ro", uri=True)
    try:
        for table, query in QUERIES.items():
            with (directory / f"{table}.{bank}.csv").open("w", newline="") as out:
                rows = csv.writer(out)
                rows.writerow(HEADERS[table])
                rows.writerows((bank, *row) for row in connection.execute(query))
    finally:
        connection.close()
