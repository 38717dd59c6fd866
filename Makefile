# make demo | test | check | bench | clean: everything is set up in .venv first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help demo test faults soak reload check format debian bench bench-plot clean image image-test
help:
	@echo "make demo    see the main job work: a PACS, pfdcm and its listener, in a temporary directory"
	@echo "make test    every test, against the real Orthanc, DCMTK, supervisord and pfurl"
	@echo "make check   the quick part: format, lint, types, import layers, unit tests"
	@echo "make faults  what breaks it, at full length: hours; make soak: 30 minutes of everything at once"
	@echo "make reload  one of them at full length: 2,000 images while everything else changes"
	@echo "make bench   timings beside the peers', minutes; make bench-plot draws them"
	@echo "make image, make image-test   the container image with docker or podman, and its test"

$(VENV)/.%: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[$*]'
	touch $@

demo: $(VENV)/.demo
	@$(BIN)/python tests/demo.py

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q tests/unit

debian:
	@sh tests/install-debian-programs

test: $(VENV)/.test debian check
	$(BIN)/pytest -q -n 4 --dist loadfile tests/integration tests/acceptance tests/faults

# what `make test` does in seconds, for as long as it takes to be sure; tests/faults/README.md
faults: $(VENV)/.test $(VENV)/.fuzz debian
	FAULTS_KILLS=200 FAULTS_CUTS=2000 FAULTS_STRANGERS=1000000 $(BIN)/pytest -q -s tests/faults
	for name in association command_set data_set service_file message tree; do \
	    $(BIN)/python -m tests.faults.fuzz $$name --seconds $${FUZZ_SECONDS:-900} || exit; done

# SOAK_MINUTES=30 of mixed load, and what it does to memory, descriptors, threads and files
soak: $(VENV)/.test debian
	$(BIN)/pytest -q -s tests/faults/soak.py

# docker's or podman's image `pfdcm`; IMAGE_OPTIONS go to the build
image:
	@engine=docker; docker info >/dev/null 2>&1 || engine=podman; \
	$$engine build -t pfdcm --build-arg VERSION="$$(sed -n 's/__version__ = "\(.*\)"/\1/p' pfdcmd/__init__.py)" \
	    --build-arg REVISION="$$(git rev-parse HEAD)" $(IMAGE_OPTIONS) .

image-test: $(VENV)/.test $(VENV)/.image
	@tests/image/with-engine $(BIN)/pytest -q -s tests/image

# what `make test` does with 400 images: all services change while one receives 2,000
reload: $(VENV)/.test debian
	RELOAD_IMAGES=2000 $(BIN)/pytest -q tests/acceptance/test_service_reload.py

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.test debian
	$(BIN)/python -m tests.bench.api
	$(BIN)/python -m tests.bench.query
	$(BIN)/python -m tests.bench.retrieve
	$(BIN)/python -m tests.bench.services
	$(BIN)/python -m tests.bench.rpc
	$(BIN)/python -m tests.bench.retrieve_study
	$(BIN)/python -m tests.bench.status
	$(BIN)/python -m tests.bench.ledger
	$(BIN)/python -m tests.bench.long_series
	@mkdir -p build
	$(BIN)/python -m tests.bench.ingest --json build/ingest.json $(BENCH)

# draws what the last `make bench` measured
bench-plot: $(VENV)/.bench
	$(BIN)/python -m tests.bench.plot build/ingest.json docs/performance.png

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
