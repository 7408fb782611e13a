"""PostgreSQL's programs are found and said to be missing, and a template is made once."""

from pathlib import Path

import pytest

from mock_lender.cluster.binaries import PostgresError, binaries, copy_template


def test_a_missing_binary_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWPROOF_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(PostgresError, match="DRAWPROOF_POSTGRES_BIN"):
        binaries()


def test_a_template_is_made_once_and_a_failed_one_leaves_nothing(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(partial: Path) -> None:
        made.append(partial)
        partial.mkdir()
        (partial / "file").write_text("x")
        if len(made) == 1:
            raise PostgresError("initdb failed")

    cache = tmp_path / "cache"
    with pytest.raises(PostgresError, match="initdb"):
        copy_template(cache, "1", make, tmp_path / "a")
    assert [path.name for path in cache.iterdir()] == ["lock"]
    copy_template(cache, "1", make, tmp_path / "a")
    copy_template(cache, "1", make, tmp_path / "b")
    assert (len(made), (tmp_path / "b" / "file").read_text()) == (2, "x")
    copy_template(cache, "2", make, tmp_path / "c")
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1
