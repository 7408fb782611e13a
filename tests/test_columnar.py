"""Rows kept as columns are the rows that were written: their values, in the order of plain ones."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.evidence import columnar, tables
from harness.evidence.columnar import Rows
from harness.evidence.columns import TABLES
from harness.evidence.fingerprint import fingerprint
from harness.evidence.recorder import StreamWriter
from harness.evidence.rows import DRAWING, ROWS, Attempt
from harness.evidence.store import RunDir
from harness.judge.load_view import ORDER
from harness.judge.told import first_granted_ns
from harness.load.shares import share_of

# Long in sum: a slow module, so that every run fits its ten minutes.
pytestmark = pytest.mark.slow

# Few different values, so that many rows are the same in some columns; and what is hard to write.
WORDS = st.sampled_from(
    ["", "press", "poll", "granted", "risk", 'a"b', "\\", "额度", "é\x7f\n", "z"]
)
NUMBERS = st.integers(0, 3) | st.integers(-(2**62), 2**62)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int64": NUMBERS,
    "string": WORDS,
    "bool": st.booleans(),
    "double": st.sampled_from([0.0, 0.25, 1.0]) | st.floats(allow_nan=False, allow_infinity=False),
}


def rows_of(table: str, *, nulls: bool = True) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Rows of a table, any value null, some rows the same."""
    cells = [VALUES[str(field.type)] for field in TABLES[table]]
    row = st.tuples(*(st.none() | cell if nulls else cell for cell in cells))
    return st.lists(row, max_size=12).flatmap(
        lambda rows: st.lists(st.sampled_from(rows), max_size=12) if rows else st.just([])
    )


def plainly_ordered(table: str, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """By the table's order, None last, and otherwise as they came."""
    names = TABLES[table].names
    places = [names.index(name) for name in ORDER.get(table, names)]

    def key(row: tuple[Any, ...]) -> list[tuple[bool, Any]]:
        return [(row[at] is None, 0 if row[at] is None else row[at]) for at in places]

    return sorted(rows, key=key)


@contextmanager
def few_at_once() -> Iterator[None]:
    """Pieces so small that a handful of rows has many."""
    with patch.object(columnar, "AT_ONCE", 3), patch.object(tables, "GROUP_ROWS", 5):
        yield


@settings(max_examples=12, deadline=None)
@pytest.mark.parametrize("table", sorted(TABLES))
@given(data=st.data())
def test_what_was_written_is_read_in_order(table: str, data: st.DataObject) -> None:
    """From streams of several parts and batches, and from the Parquet that they become."""
    rows = data.draw(rows_of(table))
    cut = data.draw(st.integers(0, len(rows)))
    ordered = plainly_ordered(table, rows)
    with tempfile.TemporaryDirectory() as name, few_at_once():
        run = RunDir(Path(name))
        for part, mine in (("a", rows[:cut]), ("b", rows[cut:])):
            writer = StreamWriter(run.stream_path(table, part), table, batch_rows=2)
            for row in mine:
                writer.append(row)
            writer.close()
        for _ in ("streams", "parquet"):
            found, missing, was_cut = tables.read_ordered(run.path, table, ORDER.get(table, ()))
            assert (missing, was_cut) == (False, False)
            assert list(found) == ordered
            assert all(type(row) is ROWS[table] for row in found)
            assert list(tables.read_rows(run.path, table)[0]) == rows
            run.compact()
            assert not tables.streams(run.path, table)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_columns_and_choices_are_those_of_plain_rows(data: st.DataObject) -> None:
    plain = [Attempt(*row) for row in data.draw(rows_of("attempts"))]
    rows: Rows[Attempt] = Rows.of("attempts", plain)
    kinds = data.draw(st.sets(WORDS))
    numbers = data.draw(st.lists(NUMBERS, max_size=4))
    chosen = data.draw(st.lists(st.booleans(), min_size=len(plain), max_size=len(plain)))
    with few_at_once():
        assert list(rows) == plain
        assert (len(rows), bool(rows)) == (len(plain), bool(plain))
        assert list(rows.column("reason")) == [one.reason for one in plain]
        assert list(rows.columns("done_ns", "kind")) == [(one.done_ns, one.kind) for one in plain]
        some = rows.where(kind=kinds)
        assert list(some) == [one for one in plain if one.kind in kinds]
        fewer = some.where(intent=numbers, outcome="granted")
        fit = [
            one
            for one in plain
            if one.kind in kinds and one.intent in numbers and one.outcome == "granted"
        ]
        assert list(fewer) == fit
        assert (len(fewer), list(fewer.column("n"))) == (len(fit), [one.n for one in fit])
        assert list(fewer[1:]) == fit[1:]
        picked = [one for one, yes in zip(plain, chosen, strict=True) if yes]
        assert list(rows.only(chosen)) == picked
        assert list(rows.only(chosen).where(kind=kinds)) == [o for o in picked if o.kind in kinds]


@given(rows_of("states"), st.slices(12), st.integers(-13, 13))
def test_places_are_those_of_a_list(plain: list[tuple[Any, ...]], part: slice, place: int) -> None:
    rows = Rows.of("states", plain)
    assert list(rows[part]) == plain[part]
    if -len(plain) <= place < len(plain):
        assert rows[place] == plain[place]
    else:
        with pytest.raises(IndexError):
            rows[place]


@given(rows_of("repay_intents", nulls=False), st.integers(-(10**9), 10**9))
def test_a_column_is_moved_and_null_stays_null(plain: list[tuple[Any, ...]], by: int) -> None:
    moved = Rows.of("repay_intents", [*plain, (1, "k", 2, 3, None)]).plus("due_ns", by)
    assert list(moved) == [*((*row[:4], row[4] + by) for row in plain), (1, "k", 2, 3, None)]


@settings(max_examples=30)
@pytest.mark.parametrize("table", ["intents", "repay_intents"])
@given(data=st.data())
def test_columns_have_the_fingerprint_of_their_plain_rows(table: str, data: st.DataObject) -> None:
    plain = [ROWS[table](*row) for row in data.draw(rows_of(table, nulls=False))]
    chosen = data.draw(st.lists(st.booleans(), min_size=len(plain), max_size=len(plain)))
    with few_at_once():
        whole = Rows.of(table, plain).fingerprints(share_of, 1)
        assert whole == [fingerprint(plain)]
        picked = [one for one, yes in zip(plain, chosen, strict=True) if yes]
        thirds = Rows.of(table, plain).only(chosen).fingerprints(share_of, 3)
        assert thirds == [
            fingerprint(one for one in picked if share_of(one.intent, 3) == part)
            for part in range(3)
        ]


@given(rows_of("attempts"))
def test_the_first_grant_is_the_earliest_that_a_draw_was_told(rows: list[tuple[Any, ...]]) -> None:
    plain = [Attempt(*row) for row in rows]
    told: dict[int, list[int]] = {}
    for one in plain:
        if one.kind in DRAWING and one.outcome == "granted" and one.done_ns is not None:
            told.setdefault(one.intent, []).append(one.done_ns)
    found = first_granted_ns(Rows.of("attempts", plain))
    assert found == {intent: min(times) for intent, times in told.items()}


def test_words_are_shared_by_the_rows_that_say_them() -> None:
    first, second = Rows.of("states", [("gateway-1", "breaker", "x", "open", 1)] * 2)
    assert first.replica is second.replica
