"""What a run says of the machine it ran on."""

from pathlib import Path

from harness.environment import environment, storage


def test_the_kind_of_file_system_a_folder_lies_on(tmp_path: Path) -> None:
    kinds = {line.split()[2] for line in Path("/proc/mounts").read_text().splitlines()}
    assert storage(Path("/proc/self")) == "proc"
    assert storage(tmp_path) in kinds - {"proc"}


def test_a_run_says_where_its_database_lay(tmp_path: Path) -> None:
    machine = environment("any", 1, tmp_path)["machine"]
    assert isinstance(machine, dict)
    assert machine["storage"] == storage(tmp_path)
