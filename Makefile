# The one list of verbs. Each does all its own set-up in .venv, so that a fresh clone needs nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PATH := $(CURDIR)/$(BIN):$(PATH)
unexport PYTHONPATH PYTHONHOME CONDA_PREFIX

RUST_SOURCES := $(shell find rust/src -name '*.rs' 2>/dev/null) rust/Cargo.toml Cargo.toml Cargo.lock

.PHONY: help run test test-rust test-python lint format wheel lock docs pictures clean
.DEFAULT_GOAL := help

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/.tools: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit("hip3 needs CPython 3.11 or later" if sys.version_info < (3, 11) else 0)' 1>&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 1>&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock 1>&2
	@touch $@

$(VENV)/.built: $(VENV)/.tools $(RUST_SOURCES) pyproject.toml
	@$(BIN)/maturin develop --release --locked --quiet 1>&2
	@touch $@

run: $(VENV)/.built ## trade on the embedded venue; make run ARGS="--duration 20 --headless --json"
	@$(BIN)/hip3 run $(ARGS)

test: test-rust test-python ## everything that is tested

test-rust:
	cargo test --locked --quiet

test-python: $(VENV)/.built
	$(BIN)/pytest -q

lint: $(VENV)/.built ## formatting, clippy, ruff, mypy, stubtest
	cargo fmt --check
	cargo clippy --locked --quiet --all-targets --all-features -- -D warnings
	$(BIN)/ruff check python tests
	$(BIN)/ruff format --check python tests
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest hip3._hip3

format: $(VENV)/.tools ## rewrite sources in the house format
	cargo fmt
	$(BIN)/ruff check --fix python tests
	$(BIN)/ruff format python tests

wheel: $(VENV)/.tools ## an abi3 wheel in dist/
	$(BIN)/maturin build --release --locked --out dist

lock: $(VENV)/.tools ## pin the development tools anew, keeping what still fits
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		--extra test --extra dev pyproject.toml -o requirements-dev.lock

docs: $(VENV)/.built ## write the references of options and metrics anew
	$(BIN)/python tests/docs/reference.py
	$(BIN)/python tests/docs/metrics_reference.py

pictures: $(VENV)/.built ## draw the pictures of docs/ from a run of two minutes and a half
	$(BIN)/python tests/docs/pictures.py

clean: ## remove everything that was built
	rm -rf target dist $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
