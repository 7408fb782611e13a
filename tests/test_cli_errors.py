"""Mistakes and a hostile machine: a clear line, the right exit code, nothing left."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.drills import ROOT, SMOKE, command, drill, short


def test_every_mistake_of_a_scenario_at_once(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: x\nload: 3\nnonsense: 1\n")
    ran = command("run", str(bad), "--out", str(tmp_path / "runs"))
    assert ran.exit == 2
    for words in ("bad.yaml:2: load: ", "bad.yaml:3: nonsense: ", "allowed: "):
        assert words in ran.err
    assert not (tmp_path / "runs").exists()


def test_validate_says_what_would_run() -> None:
    ran = command("validate", str(SMOKE))
    assert ran.exit == 0
    assert "2 faults" in ran.out


def test_an_unknown_override_is_a_scenario_error() -> None:
    ran = command("validate", str(SMOKE), "--set", "load.shape.rat=80/s")
    assert ran.exit == 2
    assert "load.shape.rat" in ran.err


def test_a_missing_scenario_is_a_scenario_error(tmp_path: Path) -> None:
    ran = command("run", str(tmp_path / "none.yaml"))
    assert ran.exit == 2
    assert "none.yaml" in ran.err


def test_a_file_where_run_directories_should_go(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder")
    ran = command("run", str(SMOKE), "--out", str(place))
    assert ran.exit == 2
    assert str(place) in ran.err


def test_a_folder_that_can_not_be_made() -> None:
    ran = command("run", str(SMOKE), "--out", "/proc/nowhere")
    assert ran.exit == 5
    assert "/proc/nowhere" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("run", SMOKE, "--repeat", 2),
        ("compare", SMOKE),
        ("ablate", SMOKE, "--only", "breaker"),
        ("attribute", SMOKE),
    ],
)
def test_a_folder_of_no_earlier_call_is_not_gone_on_with(
    tmp_path: Path, words: tuple[object, ...]
) -> None:
    (tmp_path / "mine").mkdir()
    for place in (tmp_path / "mine", tmp_path / "misspelt"):
        ran = command(*map(str, words), "--resume", str(place))
        assert ran.exit == 2
        assert "leave --resume out to begin" in ran.err
    assert [*tmp_path.rglob("*")] == [tmp_path / "mine"]


def test_one_drill_alone_has_nothing_to_go_on_with(tmp_path: Path) -> None:
    ran = command("run", str(SMOKE), "--resume", str(tmp_path))
    assert ran.exit == 2
    assert "with --repeat N" in ran.err


def test_it_says_which_version_it_is() -> None:
    ran = command("--version")
    assert (ran.exit, ran.out) == (0, f"drawproof {version('drawproof')}\n")


@pytest.mark.parametrize("word", ["recheck", "heal"])
def test_a_run_that_is_none_is_a_mistake_of_the_command_line(tmp_path: Path, word: str) -> None:
    ran = command(word, str(tmp_path / "none"))
    assert ran.exit == 2
    assert "which has no run.json" in ran.err


@pytest.mark.drill
def test_a_missing_database_binary_is_a_target_error(tmp_path: Path) -> None:
    environment = dict(os.environ, DRAWPROOF_POSTGRES_BIN=str(tmp_path / "nowhere"))
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "run", str(SMOKE), "--out", str(tmp_path / "runs")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 5, done.stdout + done.stderr
    assert "postgres" in done.stdout + done.stderr


def test_a_full_disk_ends_with_exit_5(tmp_path: Path) -> None:
    """A tmpfs of 24 MB in a mount namespace of the test's own holds the run directory."""
    unshare = shutil.which("unshare")
    assert unshare is not None
    small = tmp_path / "small"
    small.mkdir()
    script = (
        f"mount -t tmpfs -o size=24m,mode=0755 none {small} && exec {sys.executable} "
        f"-m harness.cli run {SMOKE} --out {small}/runs " + " ".join(f"'{w}'" for w in short())
    )
    may = subprocess.run([unshare, "-U", "-r", "-m", "true"], capture_output=True, check=False)
    if may.returncode != 0:
        pytest.skip("this machine allows no user namespaces, so no small disk can be made")
    done = subprocess.run(
        [unshare, "-U", "-r", "-m", "sh", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 5, done.stdout + done.stderr
    assert "No space left" in done.stderr


@pytest.mark.drill
@pytest.mark.slow
def test_a_short_drill_from_another_folder(tmp_path: Path) -> None:
    """Paths given are the caller's, not the checkout's."""
    ran = drill(tmp_path / "deep" / "er", str(SMOKE), *short("phases.watch=6s"))
    assert ran.run is not None
    assert (ran.run / "report.html").exists()
    assert (tmp_path / "deep" / "er" / "latest").resolve() == ran.run.resolve()


def test_the_lender_alone_says_where_it_is_and_stops_when_told(tmp_path: Path) -> None:
    lender = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "lender", "up", "--out", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert lender.stdout is not None
    try:
        first = lender.stdout.readline()
        url = re.findall(r"http://127\.0\.0\.1:\d+", first)[0]
        with urllib.request.urlopen(f"{url}/v1/borrowers/1/quota", timeout=5) as answer:  # noqa: S310
            assert json.loads(answer.read())["available_fen"] > 0
        lender.terminate()
        rest = lender.stdout.read()
    finally:
        lender.kill()
        lender.stdout.close()
    assert lender.wait(10) == 0
    assert "nothing is left running" in rest
    (run,) = (path for path in tmp_path.iterdir() if not path.is_symlink())
    assert not (run / "work").exists()


@pytest.mark.parametrize("scenario", ["scenarios/smoke.yaml", "scenarios/none.yaml"])
def test_a_reader_that_goes_away_is_no_defect(scenario: str) -> None:
    gone, writable = os.pipe()
    os.close(gone)
    plan = subprocess.run(
        [sys.executable, "-m", "harness.cli", "plan", str(ROOT / scenario)],
        stdout=writable, stderr=writable, check=False, timeout=60,
    )  # fmt: skip
    os.close(writable)
    assert plan.returncode == 128 + signal.SIGPIPE
