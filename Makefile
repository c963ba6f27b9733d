# Everything here needs python3 (3.11 or newer, with venv) and make, and nothing else; but `make bench` a C compiler, too,
# and without one there is no native engine, and its tests are skipped. `make fuzz` and `make stress` need gcc with its
# sanitizers.
# Nothing needs root.
#   make run PYTHON=python3.12      another interpreter
#   make test JOBS=2                so many tests at once
#   make bench BENCH=--quick        options of benchmarks/run.py
#   make fuzz FUZZ_EXECUTIONS=10000000
#   make fuzz FUZZ=build/fuzz/crashes/crash-1

PYTHON ?= python3
CONFIG ?= etc/commscaffoldd.toml
# More than there are processors: most tests wait most of the time.
JOBS ?= $(shell echo $$(($$(nproc) + 2)))
BENCH ?=
# make fuzz: how many inputs, and more options of fuzz/run.py, such as an input to be seen again
FUZZ_EXECUTIONS ?= 1000000
FUZZ ?=
# make stress: how many connections come and go
STRESS_CONNECTIONS ?= 3000

VENV := .venv
BIN := $(VENV)/bin
# Stamps: each is newer than what it was made from while what it stands for is installed. All install in place (-e), so
# a change of the source needs no new installation, but one of the native engine's: that builds it anew.
BUILT_FROM := pyproject.toml setup.py $(wildcard commscaffoldd/core/native/*.pyx commscaffoldd/core/native/*.pxd \
    commscaffoldd/core/native/*.h)
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
BENCH_STAMP := $(VENV)/.installed-bench
# The TypeScript compiler, for the tests of generated clients. Where there is no npm, or npm does not reach its registry,
# those tests are skipped.
TYPESCRIPT_STAMP := $(if $(shell command -v npm),build/typescript/.installed)
CHECKED := commscaffoldd plugins tests benchmarks fuzz setup.py

.DEFAULT_GOAL := help
.PHONY: help run test lint format bench fuzz stress clean

help: ## list what can be made
	@echo "make TARGET, with TARGET one of:"
	@sed -n 's/^\([a-z]*\):.* ## \(.*\)/  \1\t\2/p' Makefile | expand -t 12

run: $(RUN_STAMP) ## install into .venv and start the daemon in the foreground, with the example plugins
	@echo "Starting with $(CONFIG); Ctrl-C stops it. From another terminal:"
	@echo "    $(BIN)/commscaffoldd routes"
	@echo "    $(BIN)/commscaffoldd call 127.0.0.1:9000 1 hello"
	@exec $(BIN)/commscaffoldd start --foreground --config $(CONFIG)

test: lint $(TYPESCRIPT_STAMP) ## install into .venv, check style and types, run all tests
	$(BIN)/pytest -n $(JOBS)

lint: $(DEV_STAMP) ## check style and types
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy $(CHECKED)

format: $(DEV_STAMP) ## put the source into the form that lint asks for
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)

bench: $(BENCH_STAMP) ## measure beside uvloop, asyncio, gevent, Twisted and a loop in C; about 20 minutes
	$(BIN)/python -m benchmarks.run --output build/bench $(BENCH)

fuzz: $(DEV_STAMP) ## fuzz the native frame cutter, with sanitizers
	$(BIN)/python -m fuzz.run --executions $(FUZZ_EXECUTIONS) $(FUZZ)

stress: $(DEV_STAMP) ## run the core's tests on a debug build of the native engine, with sanitizers
	COMMSCAFFOLDD_STRESS=$(STRESS_CONNECTIONS) $(BIN)/python -m fuzz.sanitized \
	    pytest -o pythonpath= -p no:cacheprovider --timeout 600 tests/core

clean: ## remove everything that these targets have made, .venv too
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f commscaffoldd/core/native/*.so

$(BIN)/pip:
	@$(PYTHON) -c '' 2>/dev/null || { echo "make: $(PYTHON) cannot be run; name another: make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
	    "make: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1); name another: make PYTHON=..." >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo \
	    "make: $(PYTHON) has no venv module; Debian and Ubuntu have it in the package python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUN_STAMP): $(BUILT_FROM) | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(DEV_STAMP): $(BUILT_FROM) | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(RUN_STAMP) $@

$(BENCH_STAMP): $(BUILT_FROM) | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $(RUN_STAMP) $@

build/typescript/.installed: tests/typescript/package.json tests/typescript/package-lock.json
	mkdir -p $(@D)
	cp $^ $(@D)
	@cd $(@D) && timeout -k 5 120 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error \
	    --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=20000 && touch $(@F) \
	    || { rm -rf node_modules; echo "make: npm cannot install the TypeScript compiler: its tests are skipped" >&2; }
