"""The run directory: where everything of one drill lies, and how it is written safely."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import HarnessError, no_folder, no_run_directory
from harness.evidence import tables
from harness.evidence.columns import PLACES, TABLES
from harness.evidence.seal import seal


class RunDir:
    """One run. Errors of the disk become HarnessError, with the path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, parent: Path, scenario: str, seed: int) -> "RunDir":
        """`PARENT/<utc>-<scenario>-<seed>`, mode 0700, and `PARENT/latest` pointing to it.

        Raises ScenarioError when PARENT is a file, or lies below one.
        """
        parent = parent.absolute()
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        try:
            parent.mkdir(parents=True, exist_ok=True)
            for number in range(1, 100):
                suffix = "" if number == 1 else f"-{number}"
                path = parent / f"{stamp}-{scenario}-{seed}{suffix}"
                try:
                    path.mkdir(mode=0o700)
                except FileExistsError:
                    continue
                _point(parent / "latest", path.name)
                return cls(path)
        except (FileExistsError, NotADirectoryError) as exc:
            raise no_folder(parent) from exc
        except OSError as exc:
            raise HarnessError(f"no run directory can be made in {parent}: {exc}") from exc
        raise HarnessError(f"no run directory can be made in {parent}: too many at once")

    @classmethod
    def open(cls, path: Path) -> "RunDir":
        """An existing run directory. Raises ScenarioError when it is none."""
        if not (path / "run.json").exists():
            raise no_run_directory(path)
        return cls(path.resolve())

    def stream_path(self, table: str, part: str = "0") -> Path:
        """Where a part of a table is streamed to while the drill runs."""
        place = PLACES[table]
        return self.path / f"{place}.{part}.arrows"

    def write_text(self, name: str, text: str) -> None:
        """A whole file or none."""
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, data: bytes) -> None:
        """A whole file or none."""
        partial = self.path / f"{name}.partial"
        try:
            partial.write_bytes(data)
            os.replace(partial, self.path / name)
        except OSError as exc:
            raise HarnessError(f"{self.path / name} can't be written: {exc}") from exc

    def write_json(self, name: str, value: Mapping[str, object]) -> None:
        """A JSON object, for people too."""
        self.write_text(name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def add_environment(self, more: Mapping[str, object]) -> None:
        """Add to environment.json what was learned later."""
        known = json.loads((self.path / "environment.json").read_text())
        self.write_json("environment.json", {**known, **more})

    def write_token(self, token: str) -> None:
        """The run's token, readable by us alone; removed with the work folder."""
        try:
            descriptor = os.open(self.path / ".token", os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(token)
        except OSError as exc:
            raise HarnessError(f"{self.path} can't be written: {exc}") from exc

    def import_csv(self, table: str, files: Sequence[Path]) -> None:
        """CSV files with the table's columns, into its Parquet file."""
        try:
            tables.write_parquet(
                self.path / f"{PLACES[table]}.parquet", table, [tables.read_csv(table, files)]
            )
        except OSError as exc:
            raise HarnessError(f"{table} can't be written to {self.path}: {exc}") from exc

    def compact(self) -> None:
        """Streams into one Parquet file a table, and digests of all evidence: a run's last word.

        A stream goes when its Parquet is on the disk. One that was cut stays as it is: what it
        lacks must stay visible. Raises HarnessError.
        """
        try:
            for table in TABLES:
                tables.compact(self.path, table)
        except OSError as exc:
            raise HarnessError(f"{self.path} can't be written: {exc}") from exc
        seal(self.path)


def _point(link: Path, name: str) -> None:
    """Make `link` point to `name` in one step; a real file or folder there is left alone."""
    if link.exists() and not link.is_symlink():
        return
    partial = link.with_name(f".latest-{os.getpid()}")
    partial.unlink(missing_ok=True)
    partial.symlink_to(name)
    os.replace(partial, link)
