# One command a purpose; each installs what it needs first.
#   make test   every gate          make demo   the whole product, once, on this machine
#   make bench  side by side        make up     a small Tencent Cloud on ports 9000-9003
#   make package  the zips for SCF  make clean  what building leaves behind
#   make fuzz   a million hostile callbacks
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SYNCED := $(VENV)/.synced
NODE_SYNCED := node_modules/.synced
INTL_SDK := tencentcloud-sdk-python-intl-en
INTL_SYNCED := build/clients/$(INTL_SDK)-3.1.193/.synced
PYTHON_VERSION_CHECK := import sys; sys.exit(sys.version_info < (3, 10))

.PHONY: demo test bench fuzz up package clean

demo: $(SYNCED)
	$(BIN)/mailtrail demo

test: $(SYNCED) $(NODE_SYNCED) $(INTL_SYNCED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/interrogate functions shared localcloud cli
	$(BIN)/cog --check README.md
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term

bench: $(SYNCED)
	$(BIN)/python -m benchmarks

fuzz: $(SYNCED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]' || echo 'not guided then'
	$(BIN)/python -m tests.fuzz

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

# The International site's SDK installs the same files as the China site's, so it lives in a folder of its own.
$(INTL_SYNCED): $(SYNCED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(@D) $(INTL_SDK)==3.1.193 \
	  && touch $@ || echo 'no $(INTL_SDK): its cases will be skipped'

# Serverless and the Node clients; without npm, or without its registry, their tests are skipped and say so.
$(NODE_SYNCED): package.json package-lock.json
	@command -v npm >/dev/null || { echo 'no npm: what needs it will be skipped'; exit 0; }; \
	npm ci --no-audit --no-fund --loglevel=error && touch $@ || echo 'npm ci failed: what needs it will be skipped'
