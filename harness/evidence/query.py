"""Questions about a run's tables in SQL, answered by DuckDB; the one importer of it.

What lies in a Parquet file is read where it lies, and of it the columns that are asked for: a
million attempts and the calls and books they leave behind need not be held at once. Tables have the
names and columns of columns.py; `"try"` and `"group"` are words of SQL and need their quotes.

An answer has an order only where its question says one.
"""

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from harness.evidence.columnar import Columns, Rows, Stored, kept_schema
from harness.evidence.columns import TABLES

# What it sorts and joins by may take so much for each so many rows: a million attempts and all that
# they leave behind. The rest goes to the disk where it can. Beside it stands what Python and Arrow
# hold, some 250 MB.
MEMORY_MB, ROWS = 450, 20_000_000
TYPES = {"int64": "BIGINT", "string": "VARCHAR", "bool": "BOOLEAN", "double": "DOUBLE"}


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """One a process: what it knows are the tables of a question, which each asker names itself."""
    return duckdb.connect(
        ":memory:",
        config={
            "temp_directory": tempfile.gettempdir(),
            "preserve_insertion_order": "false",
            "python_enable_replacements": "false",  # no variable of ours is a table by accident
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )


# What questions of this process may take by now; others may be using it, so it only grows.
_allowed_mb: list[int] = [0]


def _allow(memory_mb: int) -> None:
    if memory_mb > max(_allowed_mb):
        _engine().execute(f"SET memory_limit = '{memory_mb}MB'")
        _allowed_mb.append(memory_mb)


class Books:
    """The tables of one run, to be asked. `more` names tables that are known to one question alone;
    `_at` what stands in it as `$name`. Raises OSError for what can't be read."""

    def __init__(self, tables: Mapping[str, Rows[Any]], memory_mb: int | None = None) -> None:
        """memory_mb: what questions may take; None: as much as so many rows need."""
        self._tables = tables
        self._memory_mb = memory_mb
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._doubled: dict[tuple[str, str], bool] = {}
        self._made: set[str] = set()

    def ask(
        self, question: str, at: Mapping[str, object] | None = None, **more: Columns[Any]
    ) -> list[tuple[Any, ...]]:
        """The rows of the answer."""
        try:
            return self._told(more).execute(question, dict(at or {})).fetchall()
        except duckdb.Error as exc:
            raise OSError(str(exc)) from exc

    def one(
        self, question: str, at: Mapping[str, object] | None = None, **more: Columns[Any]
    ) -> tuple[Any, ...]:
        """The only row of an answer that has one."""
        (row,) = self.ask(question, at, **more)
        return row

    def table(
        self, question: str, at: Mapping[str, object] | None = None, **more: Columns[Any]
    ) -> pa.Table:
        """The answer as columns."""
        try:
            found: pa.Table = self._told(more).sql(question, params=dict(at or {})).to_arrow_table()
            return found
        except duckdb.Error as exc:
            raise OSError(str(exc)) from exc

    def once(self, name: str, question: str, at: Mapping[str, object] | None = None) -> None:
        """Make the answer a table that later questions know by this name."""
        if name not in self._made:
            self._made.add(name)
            self._known().register(name, self.table(question, at))

    def doubled(self, table: str, key: str) -> bool:
        """Does a key, one or more columns, stand in the table more than once?"""
        if (table, key) not in self._doubled:
            # By numbers made of the keys, which is quick and finds some too many at most; then by
            # the keys.
            question = f"SELECT count(*) > count(DISTINCT {{}}) FROM {table}"
            self._doubled[table, key] = any(self.one(question.format(f"hash({key})"))) and any(
                self.one(question.format(f"({key})"))
            )
        return self._doubled[table, key]

    def single(self, table: str, key: str) -> str:
        """The table for a question, with one row a key: of several the last in order of columns.

        Keys that stand twice are a finding of their own; they must not make rows of others."""
        if not self.doubled(table, key):
            return table
        last = ", ".join(f"{_quoted(one)} DESC NULLS FIRST" for one in TABLES[table].names)
        return (
            f"(SELECT * FROM {table} QUALIFY row_number() OVER"
            f" (PARTITION BY {key} ORDER BY {last}) = 1)"
        )

    def _told(self, more: Mapping[str, Columns[Any]]) -> duckdb.DuckDBPyConnection:
        """Whom to ask, once it knows of these tables too."""
        cursor = self._known()
        for name, rows in more.items():
            cursor.register(name, rows.arrow())
        return cursor

    def _known(self) -> duckdb.DuckDBPyConnection:
        if self._cursor is None:
            self._cursor = _engine().cursor()
            count = sum(map(len, self._tables.values()))
            _allow(self._memory_mb or MEMORY_MB * max(1, round(count / ROWS)))
            for name, rows in self._tables.items():
                if rows.stored is None:
                    self._cursor.register(name, rows.arrow())
                else:
                    self._cursor.execute(_where_it_lies(name, rows.stored))
        return self._cursor


def fitting_rows(table: str, rows: Rows[Any], wanted: Mapping[str, Sequence[Any]]) -> pa.Table:
    """The rows of a stored table whose columns have one of these values each, as they come."""
    books = Books({table: rows})
    tables = {
        f"of_{name}": Columns[Any](
            pa.table({"one": pa.array(values, TABLES[table].field(name).type)})
        )
        for name, values in wanted.items()
    }
    fits = " AND ".join(f"{_quoted(name)} IN (SELECT one FROM of_{name})" for name in wanted)
    found = books.table(f"SELECT * FROM {table} WHERE {fits}", None, **tables)
    return found.cast(kept_schema(table))


def _where_it_lies(name: str, stored: Stored) -> str:
    """A table that is read from its file; columns that are younger than the run are null."""
    there = set(stored.columns)
    columns = ", ".join(
        f"CAST({_quoted(one.name) if one.name in there else 'NULL'} AS {TYPES[str(one.type)]})"
        f" AS {_quoted(one.name)}"
        for one in TABLES[name]
    )
    place = str(stored.place).replace("'", "''")
    return f"CREATE TEMP VIEW {name} AS SELECT {columns} FROM read_parquet('{place}')"


def _quoted(name: str) -> str:
    return f'"{name}"'
