# Every target sets up its own environment in .venv; a bare `make` explains them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
ARGS ?=
# Three workers for two cores: many tests wait for processes, disks and clocks.
JOBS ?= 3
# Tests of the rooms that import packages of others: typer, rich, aiohttp, tenacity, msgspec, orjson, networkx, numpy, joblib.
LOWEST_TESTS := tests/unit/cli tests/unit/freesound tests/unit/records \
	tests/unit/checkpoint/test_format.py tests/unit/library/test_store.py tests/unit/graph/test_lazy_digraph.py \
	tests/unit/similarity tests/unit/exports/test_export.py tests/unit/map tests/unit/test_jobs.py \
	tests/integration/test_client_on_sockets.py

.DEFAULT_GOAL := help
.PHONY: help harvest status map extras test check lowest bench chaos mutants pictures manual clean

help: ## Show this list
	@echo "harvester: grow, keep and share a library of Freesound sounds"
	@echo
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1|\2/' | \
		while IFS='|' read -r name what; do printf '  make %-8s %s\n' "$$name" "$$what"; done
	@echo
	@echo "Options go into ARGS:  make harvest ARGS=\"--samples 200 --tag rain\""

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON); install Python 3.11 or newer, or say PYTHON=/path/to/python"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) is older than 3.11; say PYTHON=python3.12 or the like"; exit 2; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "make: $(PYTHON) cannot make an environment; on Debian and Ubuntu: apt install python3-venv"; exit 2; }

$(VENV)/.run: $(VENV)/bin/python pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	@echo "Installing what the tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all,dev]'
	@touch $@ $(VENV)/.run

harvest: $(VENV)/.run ## Process 50 sounds (without an API key: offline, on the embedded sandbox)
	@$(BIN)/harvester harvest $(ARGS)

status: $(VENV)/.run ## Show the library and the running harvest
	@$(BIN)/harvester status $(ARGS) || [ $$? -eq 28 ]  # without a library, its one line says how to make one

$(VENV)/.map: $(VENV)/bin/python pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[map]'
	@touch $@ $(VENV)/.run

map: $(VENV)/.map ## Draw the library's map as a page to listen to, map.html
	@$(BIN)/harvester map $(ARGS)

$(VENV)/.extras: $(VENV)/bin/python pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]'
	@touch $@ $(VENV)/.run

extras: $(VENV)/.extras ## Install what the map, link, plots and Parquet need besides

test: $(VENV)/.dev ## Run all tests in random order (about five minutes on two cores)
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: $(VENV)/.dev ## Check style, types and the walls between rooms (under a minute)
	@$(BIN)/ruff check harvester tests
	@$(BIN)/ruff format --check harvester tests
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache

# pip cannot resolve to the lowest versions, uv can. Old packages beside new ones warn of deprecations: ignored here.
lowest: $(VENV)/bin/python ## Run with the lowest versions that pyproject.toml allows (about a minute)
	@rm -rf $(LOWEST)
	@$(BIN)/python -m venv $(LOWEST)/uv
	@$(LOWEST)/uv/bin/python -m pip install --quiet --disable-pip-version-check uv
	@$(LOWEST)/uv/bin/uv venv --quiet --python $(BIN)/python $(LOWEST)/env
	@$(LOWEST)/uv/bin/uv pip install --quiet --python $(LOWEST)/env/bin/python --resolution lowest-direct --editable '.[all,dev]'
	@.ci/smoke $(LOWEST)/env/bin
	@$(LOWEST)/env/bin/python -m pytest -q -n $(JOBS) -o filterwarnings=ignore $(or $(ARGS),$(LOWEST_TESTS))

chaos: $(VENV)/.dev ## Kill and corrupt for one to two hours, and print the figures
	@$(BIN)/python -m pytest -n $(JOBS) -rP -m 'chaos or hypothesis' tests $(ARGS)

$(VENV)/.mutants: $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'mutmut>=3.8,<4'
	@touch $@

mutants: $(VENV)/.mutants ## Change the code and list what no near test notices (ARGS=quota: one group)
	@nice -n 5 $(BIN)/python -m tests.mutants $(ARGS)

bench: $(VENV)/.dev ## Measure this project beside the alternatives
	@$(BIN)/python -m tests.bench $(ARGS)

pictures: $(VENV)/.dev ## Make the pictures of README and guide again (ARGS=library: one group)
	@$(BIN)/python -m tests.pictures $(ARGS)

manual: $(VENV)/.dev ## Write the manual page again from the commands
	@$(BIN)/python -m tests.manual

clean: ## Remove the environment and caches (never a library)
	@rm -rf $(VENV) $(LOWEST) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info build dist mutants
	@find harvester tests -name __pycache__ -type d -prune -exec rm -rf {} +
