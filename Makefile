# Gatepost. `make` lists the targets. Needs Python 3.11+, git and make; everything else is installed into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := runtime proto user-service notify-service auth-service gateway all-in-one cli
SOURCES := $(addsuffix /src,$(filter-out proto,$(PACKAGES)))
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-input
TESTS ?= tests
PYTEST_WORKERS ?= 2
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run native-hash install test faults check lint format types architecture contract docs docs-write bench soak lock messages proto clean

help:  ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One stamp per lock file: a virtual environment is only as new as the lock it was made from.
$(VENV)/run.stamp: requirements.lock $(addsuffix /pyproject.toml,$(PACKAGES))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Gatepost needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || { echo "creating $(VENV) with $$($(PYTHON) --version)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing the locked dependencies (half a minute with a cold cache)"
	@$(PIP_INSTALL) --require-hashes -r requirements.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation $(addprefix -e ./,$(PACKAGES))
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	@echo "installing the locked test and lint tools"
	@$(PIP_INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

run: $(VENV)/run.stamp  ## Start PostgreSQL, Valkey and every service; Ctrl-C stops them
	@exec $(BIN)/gatepost up

native-hash: $(VENV)/run.stamp  ## Compile Argon2 for this very processor, which needs a C compiler: a sign-in takes a third less CPU
	CFLAGS="-O3 -march=native" $(PIP_INSTALL) --force-reinstall --no-deps --no-cache-dir --no-binary argon2-cffi-bindings \
	  "argon2-cffi-bindings==$$($(BIN)/python -c 'from importlib.metadata import version; print(version("argon2-cffi-bindings"))')"

install: $(VENV)/dev.stamp  ## Make .venv with everything, tools included

test: $(VENV)/dev.stamp  ## Run the whole test suite (TESTS=tests/unit for a part)
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) $(TESTS)

faults: $(VENV)/dev.stamp  ## Half an hour and more of killed, stopped and cut off processes; reports in docs/reports
	GATEPOST_FAULTS=full $(BIN)/python -m pytest -n 0 tests/faults

check: lint types architecture contract docs test  ## What CI runs: every check, then the tests

lint: $(VENV)/dev.stamp  ## Ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/dev.stamp  ## Let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/dev.stamp  ## mypy, strict on all hand-written code
	$(BIN)/mypy $(SOURCES) tests bench

architecture: $(VENV)/dev.stamp  ## Who may import whom
	$(BIN)/lint-imports

contract: $(VENV)/dev.stamp  ## Protobuf lint, breaking changes, and stubs equal to what protoc makes
	$(BIN)/buf lint proto
	$(BIN)/python proto/check.py

docs: $(VENV)/dev.stamp  ## Dead links and paths, generated tables
	$(BIN)/python docs/check.py

bench: $(VENV)/dev.stamp  ## Measure beside limits and peers; report in bench/reports (QUICK=1: under three minutes)
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(BENCH)

soak: $(VENV)/dev.stamp  ## Twenty minutes of all kinds of requests: does anything grow? Report in docs/reports
	@$(BIN)/python -m bench.soak

docs-write: $(VENV)/dev.stamp  ## Make the generated tables of the pages again
	$(BIN)/python docs/generate.py

messages: $(VENV)/dev.stamp  ## Bring the language catalogues in step with the templates
	$(BIN)/python -m runtime.extraction $(dir $(shell find $(SOURCES) -type d -name locales))

proto: $(VENV)/dev.stamp  ## Make the stubs again from the .proto files
	$(BIN)/python proto/generate.py

lock: $(VENV)/dev.stamp  ## Resolve the lock files again
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q --upgrade requirements.in -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q --upgrade requirements-dev.in -o requirements-dev.lock

clean:  ## Remove .venv and caches (never data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
