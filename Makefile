# For people with a checkout, GNU make and a POSIX shell. Everyone else: README.md.

PYTHON ?=
VENV ?= .venv
# Tests wait for processes and disks as much as they compute.
PYTEST_ARGS ?= -n 3 --dist loadfile
SERVE_ARGS ?=

BIN := $(VENV)/bin
# Only pins from here are installed, in the build of the wheel too.
PIN := -c constraints.txt --build-constraint constraints.txt
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
TYPED := src tests examples $(if $(wildcard benchmarks/*.py),benchmarks)

.DEFAULT_GOAL := help
.PHONY: help run test test-all check lint types bench docs models faces places clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/.run models ## set everything up, then serve on port 8000
	@echo "==> starting the server (Ctrl-C stops it)"
	@$(BIN)/okapia serve $(SERVE_ARGS)

test: $(VENV)/.dev $(VENV)/.azurite models faces places lint types ## set everything up, then lint, types and all tests but the slow
	@echo "==> running the tests"
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: $(VENV)/.dev $(VENV)/.azurite models faces places lint types ## the same with the slow tests
	@echo "==> running all tests, the slow ones too"
	@OKAPIA_TEST_ALL=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.dev lint types ## lint, types and the unit tests that need no models: under 2 minutes
	@echo "==> running the unit tests that need no models"
	@$(BIN)/python -m pytest -q $(PYTEST_ARGS) -m "not models and not slow" tests/unit

lint: $(VENV)/.dev ## style, format and the import contracts
	@echo "==> checking style, format and import contracts"
	@$(BIN)/python -m ruff check --quiet .
	@$(BIN)/python -m ruff format --quiet --check .
	@$(BIN)/lint-imports --no-logo 2>&1 || { echo "an import goes against docs/decisions or pyproject.toml" >&2; exit 1; }

types: $(VENV)/.dev ## the strict type checker
	@echo "==> checking types"
	@$(BIN)/python -m mypy --no-error-summary $(TYPED)

bench: $(VENV)/.dev models faces ## every benchmark; they write tables and JSON to benchmarks/results
	@for script in $$(grep -l '__main__' benchmarks/*.py); do \
	  echo "==> $$script"; \
	  $(BIN)/python "$$script" || exit 1; \
	done

docs: $(VENV)/.dev ## check that every link between the documents leads somewhere
	@echo "==> checking the documents' links"
	@$(BIN)/python -m pytest -q tests/unit/test_docs.py

models: $(VENV)/.run ## get the lite models and three sample pictures, about 220 MB of downloads, once
	@echo "==> getting the lite models and the sample pictures, unless they are here"
	@$(BIN)/okapia models pull lite
	@$(BIN)/okapia samples > /dev/null

faces: $(VENV)/.run ## get the networks of faces and gender for the tests, a 36 MB download, once
	@echo "==> getting the networks of faces and gender, unless they are here"
	@$(BIN)/okapia models pull faces

places: $(VENV)/.dev ## get the borders that tell a point's country, a 95 MB download, once
	@echo "==> getting the borders of countries and states, unless they are here"
	@$(BIN)/okapia models pull places

clean: ## delete what make has made; models stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The files below are stamps: a step is done again when what it depends on is newer.

$(VENV)/.dev: $(VENV)/.run
	@echo "==> installing what the tests need"
	@$(PIP) install $(PIN) --group dev
	@touch $@

$(VENV)/.azurite: $(VENV)/.pip
	@if command -v npm >/dev/null; then \
	  echo "==> getting Azurite, which stands in for Azure in the tests"; \
	  npm install --silent --no-audit --no-fund --ignore-scripts --prefix $(VENV)/azurite azurite@3.35.0 && touch $@; \
	else \
	  echo "npm is not installed: the tests against Azurite are skipped"; \
	fi

$(VENV)/.run: $(VENV)/.pip pyproject.toml
	@echo "==> installing Okapia and its libraries (a minute or two, once)"
	@$(PIP) install $(PIN) -e .
	@touch $@

$(VENV)/.pip: constraints.txt
	@python=; \
	for name in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python); do \
	  if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    python=$$name; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "needs Python 3.11 or newer; none of $(or $(PYTHON),python3 to python3.13) is. Install it, or: make PYTHON=/path/to/python" >&2; \
	  exit 1; \
	fi; \
	echo "==> making a virtual environment in $(VENV) with $$("$$python" --version)"; \
	if ! "$$python" -m venv $(VENV); then \
	  rm -rf $(VENV); \
	  echo "this Python cannot make virtual environments; on Debian and Ubuntu: sudo apt install python3-venv" >&2; \
	  exit 1; \
	fi
	@$(PIP) install --upgrade -c constraints.txt pip
	@touch $@
