# What people and CI call. Everything is kept in .venv (Python) and .tools (other programs).
# Plain enough for the GNU make 3.81 of macOS.

PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/pytest -n auto --dist worksteal
# Most of the gate waits for real programs: one worker more than there are cores.
WORKERS := $(shell expr `getconf _NPROCESSORS_ONLN` + 1)

.DELETE_ON_ERROR:
.PHONY: setup demo check lint test soak bench screenshots lock clean

setup: .venv/.petops $(BIN)/prometheus

demo: setup
	@if [ "$(DEMO)" = headless ]; then exec $(BIN)/petops demo --headless; else exec $(BIN)/petops demo; fi

# Under a minute: for every save.
check: lint
	$(PYTEST) -m "not slow and not cluster" -q

# The whole gate, here and in CI.
test: lint setup .tools/.kubectl .tools/postgres .tools/.chromium
	$(PYTEST) -n $(WORKERS) -m "not cluster and not soak"

# What takes minutes and wants a quiet machine.
soak: setup .tools/.kubectl
	$(PYTEST) -m soak

lint: .venv/.petops
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: setup
	@if [ -f benchmarks/run.py ]; then exec $(BIN)/python benchmarks/run.py; else echo "There are no benchmarks yet."; fi

# Draw the README's pictures anew.
screenshots: setup .tools/.chromium
	$(BIN)/python scripts/screenshots.py
	$(BIN)/python scripts/slack_picture.py

# Compile requirements/dev.lock anew from pyproject.toml, at the newest versions that it allows.
lock:
	PYTHON="$(PYTHON)" scripts/lock.sh

clean:
	rm -rf .venv .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist

.venv/.locked: requirements/dev.lock scripts/venv.sh
	@PYTHON="$(PYTHON)" scripts/venv.sh
	@touch $@

.venv/.petops: pyproject.toml .venv/.locked
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/prometheus: | .venv/.locked
	@scripts/prometheus.sh $@

.tools/postgres: scripts/postgres.sh
	@mkdir -p .tools
	@scripts/postgres.sh $@

.tools/.chromium: scripts/chromium.sh | .venv/.locked
	@mkdir -p .tools
	@scripts/chromium.sh $(BIN)/chromium
	@touch $@

.tools/.kubectl: requirements/kubectl.lock scripts/kubectl.py | .venv/.locked
	@mkdir -p .tools
	@$(BIN)/python scripts/kubectl.py .tools/kubectl
	@touch $@
