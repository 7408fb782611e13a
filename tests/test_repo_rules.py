"""The rules of the house, checked: who imports whom, how long things are, what is never written."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drills import ROOT

FILE_LINES_MAX = 320
FUNCTION_LINES_MAX = 70
SOURCES = sorted(
    path for room in ("harness", "mock_lender", "tests", "benchmarks") for path in
    (ROOT / room).rglob("*.py")
)  # fmt: skip

# Floors of the harness, the lowest first: a module imports from its own room or from below.
FLOORS = (
    ("harness.clock", "harness.seeds", "harness.units", "harness.errors", "harness.processes",
     "harness.stopping", "harness.environment", "harness.running", "harness.terminal",
     "harness.beside"),
    ("harness.evidence", "harness.guardian", "harness.scenario.law", "harness.scenario.model",
     "harness.scenario.measures", "harness.scenario.entry", "harness.scenario.terms",
     "harness.scenario.shape"),
    ("harness.proxy",),
    ("harness.faults",),
    ("harness.scenario",),
    ("harness.judge", "harness.load", "harness.nemesis", "harness.disk_beat",
     "harness.notice_looks"),
    ("harness.capacity",),
    ("harness.target", "harness.plan", "harness.heal", "harness.stop", "harness.safety",
     "harness.repeats"),
    ("harness.draining",),
    ("harness.watch", "harness.compare", "harness.suite"),
    ("harness.report", "harness.drill", "harness.drilled", "harness.lender_up"),
    ("harness.commands", "harness.find_capacity", "harness.chaos", "harness.compare_runs",
     "harness.given_runs", "harness.attribute_faults", "harness.baselines", "harness.ablate",
     "harness.repeat_run", "harness.suite_run"),
    ("harness.cli", "harness.cli_repeats", "harness.cli_suite", "harness.cli_words"),
)  # fmt: skip

# Heavy dependencies, and the only places that may import them.
IMPORTERS = {
    "locust": ("harness.load.locustfile", "benchmarks.load_stock"),
    "geventhttpclient": ("harness.load.sender",),
    "gevent": (
        "harness.load.locustfile",
        "harness.load.conversation",
        "harness.load.worker",
        "harness.load.sender",
        "harness.load.alarm",
    ),
    "pyarrow": (
        "harness.evidence.columns", "harness.evidence.columnar", "harness.evidence.chunks",
        "harness.evidence.derived", "harness.evidence.given", "harness.evidence.json_lines",
        "harness.evidence.query",
        "harness.evidence.recorder", "harness.evidence.tables", "tests.test_trace_section",
        "benchmarks.load_million",
        "tests.test_evidence", "tests.test_kept_runs",
    ),
    "duckdb": ("harness.evidence.query",),
    "yaml": ("harness.scenario.nodes", "mock_lender.law", "tests.test_fault_lines"),
    "chaoslib": ("harness.faults.toolkit_child",),
    "jinja2": ("harness.report.html",),
    "asyncpg": (
        "mock_lender.ledger.database",
        "mock_lender.ledger.setup",
        "mock_lender.ledger.migration",
        "mock_lender.cluster.replication",
        "mock_lender.console.sessions",
    ),
    "httptools": ("harness.proxy.http_server",),
    "httpx": ("mock_lender.http.wire",),
    "httpx_aiohttp": ("mock_lender.http.wire",),
    "aiohttp": (
        "mock_lender.http.wire",
        "benchmarks.failover",
        "benchmarks.lender_closed",
        "benchmarks.soak",
    ),
    "pybreaker": ("mock_lender.resilience.breaker", "tests.test_resilience"),
    "tenacity": ("mock_lender.resilience.retry",),
    "uvicorn": ("mock_lender.cluster.replica",),
    "uvloop": ("harness.proxy.server", "benchmarks.load_stub"),
    "sqlite3": (
        "mock_lender.bank_book", "mock_lender.bank_export", "mock_lender.cluster.books",
    ),
}  # fmt: skip

# `except Exception` is right only where whatever fails must be turned into an answer.
CATCH_ALL = {
    "harness/cli.py": 1, "harness/judge/audit.py": 1, "harness/nemesis/nemesis.py": 1,
    "mock_lender/bank_book.py": 1, "tests/peers/calls.py": 1,
}  # fmt: skip

NEVER = {
    r"shell\s*=\s*True": "an argument list",
    r"yaml\.(load|unsafe_load|full_load)\(": "compose, in scenario/nodes.py",
    r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b": "an issue, or the work itself",
    r"(?<![\w}])/(work|tmp/v|root)/": "a path that another machine has too",
    r"\beval\(|\bexec\(": "data",
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def floor_of(module: str) -> int | None:
    """The floor of the longest name that fits."""
    fits = [
        (len(name), number)
        for number, names in enumerate(FLOORS)
        for name in names
        if module == name or module.startswith(f"{name}.")
    ]
    return max(fits)[1] if fits else None


def test_imports_lead_downwards() -> None:
    wrong = []
    for path in SOURCES:
        module = module_of(path)
        mine = floor_of(module)
        for imported in imports(path):
            other = floor_of(imported)
            if module.startswith("harness.") and imported.startswith("harness."):
                assert mine is not None, f"give {module} a floor in FLOORS"
                same_room = module.split(".")[:2] == imported.split(".")[:2]
                if other is not None and other > mine and not same_room:
                    wrong.append(f"{module} imports {imported} from above: move what it needs down")
    assert not wrong, "\n".join(wrong)


def test_there_is_no_circle_of_imports() -> None:
    known = {module_of(path): path for path in SOURCES}
    graph = {m: {i for i in imports(p) if i in known} for m, p in known.items()}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, f"a circle: {' -> '.join([*way, module])}"
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*way, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_the_lender_never_knows_the_harness_and_the_harness_meets_it_in_one_place() -> None:
    for path in SOURCES:
        module = module_of(path)
        for imported in imports(path):
            if module.startswith("mock_lender"):
                assert not imported.startswith("harness"), f"{module} imports {imported}"
            if module.startswith("harness") and imported.startswith("mock_lender"):
                assert module.startswith("harness.target."), f"{module}: go through harness.target"


def test_heavy_dependencies_have_their_importers() -> None:
    for path in SOURCES:
        module = module_of(path)
        for imported in imports(path):
            allowed = IMPORTERS.get(imported.partition(".")[0])
            if allowed is not None:
                assert module in allowed, f"{module} imports {imported}: go through {allowed[0]}"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_sizes_and_docstrings(path: Path) -> None:
    text = path.read_text()
    lines = text.count("\n")
    assert lines <= FILE_LINES_MAX, f"{path.name} has {lines} lines: move a part out"
    tree = ast.parse(text)
    if path.name != "__init__.py" or text:
        assert ast.get_docstring(tree), f"{path.name}: say at its top what it is for"
    for top in tree.body:
        if isinstance(top, ast.ClassDef) and not top.name.startswith("_"):
            in_test = path.is_relative_to(ROOT / "tests")
            assert in_test or ast.get_docstring(top), f"{top.name}: say what it is"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            assert size <= FUNCTION_LINES_MAX, f"{node.name} has {size} lines: split it"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_what_is_never_written(path: Path) -> None:
    text = path.read_text()
    assert path.stem not in ("utils", "helper", "helpers", "manager", "misc", "common")
    for pattern, instead in NEVER.items():
        found = re.search(pattern, text)
        mine = path.name == "test_repo_rules.py"
        assert found is None or mine, f"{path.name}: {found and found[0]}: write {instead}"
    caught = len(re.findall(r"except (Exception|BaseException)?\s*(as \w+)?:", text))
    name = str(path.relative_to(ROOT))
    assert caught == CATCH_ALL.get(name, 0), f"{name}: catch what can happen, not everything"
    if path.is_relative_to(ROOT / "tests"):
        sleeps = [
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "sleep"
        ]
        assert not sleeps, f"{path.name}: wait for a condition with a bound"


def test_the_lock_file_names_no_place() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert not re.findall(r"https?://|file://|--index|--find-links|^\s*#.*/", text, re.M)
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)


def test_ci_calls_the_readmes_test_command() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "make test" in script.read_text()
    assert "make test" in (ROOT / "README.md").read_text()


def test_nothing_generated_is_kept() -> None:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=False
    ).stdout.split()
    for name in listed:
        assert not re.search(r"(^|/)(runs|\.venv|dist|shared|__pycache__)/", name), name
