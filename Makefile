# make demo | test | check | bench | clean: everything is set up in .venv first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: help demo test check format debian clean
help:
	@echo "make demo    see the main job work: a PACS, pfdcm and its listener, in a temporary directory"
	@echo "make test    every test, against the real Orthanc, DCMTK, supervisord and pfurl"
	@echo "make check   the quick part: format, lint, types, import layers, unit tests"
	@echo "make bench   timings beside the peers'"

$(STAMP): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

demo: $(STAMP)
	$(BIN)/python tests/demo.py

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	$(BIN)/pytest -q tests/unit

debian:
	@sh tests/install-debian-programs

test: $(STAMP) debian check
	$(BIN)/pytest -q tests/integration tests/acceptance

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) debian
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
