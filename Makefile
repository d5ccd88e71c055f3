# Each target makes .venv with Python 3.11 or newer and installs what it needs; nothing else is set up by hand.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
DEV := .venv/.dev
RUN := .venv/.demo
JOBS ?= 2

.PHONY: demo test lint bench nightly chromium

demo: $(RUN)  ## real models on real data; snapshots in demo/.showcause, reports in demo/
	$(BIN)/showcause demo --out demo --store demo/.showcause
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/credit_review/show.sh demo/review

test: chromium lint  ## everything that must hold before a change lands
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not nightly"

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEV)
	$(BIN)/python benchmarks/snapshot.py

nightly: chromium lint  ## the slow proofs too
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal
	$(BIN)/python benchmarks/diff_calibration.py

chromium:
	@command -v chromium >/dev/null || { echo "The reports are tested in Chromium. Please run: apt-get install -y chromium"; exit 2; }

$(DEV): pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]" && touch $(DEV) $(RUN)

$(RUN): pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[demo]" && touch $(RUN)

.venv/bin/python:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
