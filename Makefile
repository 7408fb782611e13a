# One command an intention, the same here and in CI. README.md has the plain commands behind them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: setup drill test test-all lint format docs clean

drill: $(READY)
	$(BIN)/drawproof run scenarios/smoke.yaml

test: lint
	$(BIN)/pytest -m "not slow and not peer" -n 2 --dist loadfile

test-all: lint
	$(BIN)/pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)
	$(BIN)/python -m harness.faults.page > docs/faults.md
	$(BIN)/python -m mock_lender.resilience.page > docs/protections.md
	$(BIN)/python -m harness.judge.page > docs/measures.md
	$(BIN)/python -m harness.evidence.schema > docs/schema/evidence.schema.json
	$(BIN)/python -m harness.report.coverage > docs/coverage.md
	$(BIN)/python -m harness.judge.schema > docs/schema/verdict.schema.json

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "drawproof needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@# What was installed is written now, and not while the first drill waits for the disk.
	sync -f $(VENV)
	touch $(READY)

clean:
	rm -rf $(VENV) runs build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
