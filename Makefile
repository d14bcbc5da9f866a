# One command a purpose; each installs what it needs first.
#   make test   every gate          make demo   the whole product, once, on this machine
#   make bench  side by side        make up     a small Tencent Cloud on ports 9000-9003
#   make package  the zips for SCF  make clean  what building leaves behind
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SYNCED := $(VENV)/.synced
NODE_SYNCED := node_modules/.synced
PYTHON_VERSION_CHECK := import sys; sys.exit(sys.version_info < (3, 10))

.PHONY: demo test bench up package clean

demo: $(SYNCED)
	$(BIN)/mailtrail demo

test: $(SYNCED) $(NODE_SYNCED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/interrogate functions shared localcloud cli
	$(BIN)/cog --check README.md
	$(BIN)/python -m pytest --cov --cov-report=term

bench: $(SYNCED)
	$(BIN)/python -m benchmarks

up: $(SYNCED)
	$(BIN)/mailtrail up

package: $(SYNCED)
	$(BIN)/mailtrail package --out dist

clean:
	rm -rf build dist .serverless .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -not -path './node_modules/*' -prune -exec rm -rf {} +

# Synced again whenever a pin changes.
$(SYNCED): pyproject.toml
	@$(PYTHON) -c '$(PYTHON_VERSION_CHECK)' || { \
	  echo 'mailtrail needs Python 3.10 or newer as $(PYTHON); name another: make PYTHON=python3.12'; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo 'this Python cannot make virtual environments: apt-get install python3-venv'; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

# Only the checks of serverless.yml want it; without npm, or without its registry, they are skipped and say so.
$(NODE_SYNCED): package.json package-lock.json
	@command -v npm >/dev/null || { echo 'no npm: the serverless checks will be skipped'; exit 0; }; \
	npm ci --no-audit --no-fund --loglevel=error && touch $@ || echo 'npm ci failed: the serverless checks will be skipped'
