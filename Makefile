# The one list of verbs. Each does all its own set-up in .venv, so that a fresh clone needs nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
DIST ?= dist
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PATH := $(CURDIR)/$(BIN):$(PATH)
unexport PYTHONPATH PYTHONHOME CONDA_PREFIX

RUST_SOURCES := $(shell find rust/src -name '*.rs' 2>/dev/null) rust/Cargo.toml Cargo.toml Cargo.lock

# A wheel for older systems, or for another machine, is compiled with zig: MANYLINUX=2_17, TARGET=aarch64.
MANYLINUX ?=
TARGET ?=
ZIG := $(or $(MANYLINUX),$(TARGET))
TRIPLE := $(or $(TARGET),$(shell uname -m))-unknown-linux-gnu
STAMP := python/hip3/commit.txt
WRITE_STAMP := git describe --always --dirty --abbrev=12 --exclude='*' > $(STAMP) 2>/dev/null || rm -f $(STAMP)

.PHONY: help run test test-rust test-python lint format stamp wheel sdist release-check publish lock docs pictures clean
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
	$(BIN)/ruff check python tests deploy
	$(BIN)/ruff format --check python tests deploy
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest hip3._hip3

format: $(VENV)/.tools ## rewrite sources in the house format
	cargo fmt
	$(BIN)/ruff check --fix python tests deploy
	$(BIN)/ruff format python tests deploy

$(VENV)/.zig: $(VENV)/.tools deploy/zig.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/zig.lock 1>&2
	@touch $@

stamp: ## write down from which commit is built what is built next; wheel and sdist do it themselves
	@$(WRITE_STAMP)

wheel: $(VENV)/.tools $(if $(ZIG),$(VENV)/.zig) ## an abi3 wheel in dist/; MANYLINUX=2_17 for older systems, TARGET=aarch64 for arm
	$(if $(ZIG),rustup target add $(TRIPLE))
	@trap 'rm -f $(STAMP)' EXIT; $(WRITE_STAMP); \
	$(BIN)/maturin build --release --locked --out $(DIST) \
		$(if $(ZIG),--zig --target $(TRIPLE) --compatibility manylinux_$(or $(MANYLINUX),2_17))

sdist: $(VENV)/.tools ## the source distribution in dist/
	@trap 'rm -f $(STAMP)' EXIT; $(WRITE_STAMP); $(BIN)/maturin sdist --out $(DIST)

release-check: $(VENV)/.tools ## do version, tag, changelog and tree agree?
	@$(BIN)/python deploy/release.py check

publish: $(VENV)/.tools ## upload dist/; INDEX_URL=https://..., credentials by UV_PUBLISH_TOKEN or _USERNAME and _PASSWORD
	@$(BIN)/python deploy/release.py publish "$(INDEX_URL)" $(DIST)

LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11
lock: $(VENV)/.tools ## pin the tools of every kind anew, and what runs in the image, keeping what still fits
	@$(LOCK) --extra test --extra dev pyproject.toml -o requirements-dev.lock
	@$(LOCK) -c requirements-dev.lock --extra alerts --extra metrics --extra sessions pyproject.toml -o deploy/runtime.lock
	@$(LOCK) -c requirements-dev.lock --group pyproject.toml:build -o deploy/build.lock
	@$(LOCK) --group pyproject.toml:zig -o deploy/zig.lock
	@$(LOCK) --group pyproject.toml:audit -o .github/audit.lock

docs: $(VENV)/.built ## write the references of options and metrics anew
	$(BIN)/python tests/docs/reference.py
	$(BIN)/python tests/docs/metrics_reference.py

pictures: $(VENV)/.built ## draw the pictures of docs/ from a run of two minutes and a half
	$(BIN)/python tests/docs/pictures.py

clean: ## remove everything that was built
	rm -rf target $(DIST) $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
