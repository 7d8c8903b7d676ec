# make search        set up, and search for a network of at most 20,000 parameters that gets 99.4 % on MNIST
# make test          set up, and run the tests
#
# More options for either go into ARGS: make search ARGS="--seed 1 --workers 4", make test ARGS="-k cost -x".
# `nas search` ends with 3 where the target was not reached; make then reports an error, and the study can be continued
# by running the same command again.

PYTHON ?= python3
VENV := .venv
ARGS =

BIN := $(VENV)/bin
# Everything pinned, the build back end too: hence no build isolation. pip's own configuration is respected; where that
# offers a CPU-only torch (2.x.y+cpu), it satisfies the pins as well as the index's torch does.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt

# All of MNIST may already lie beside the checkout. Where it does not, nas finds or fetches it.
ifeq ($(origin NAS_DATA_DIR),undefined)
ifneq ($(wildcard ../shared/data/.),)
export NAS_DATA_DIR := $(CURDIR)/../shared/data
endif
endif

.PHONY: help search test test-slow chaos check format docs dist clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

search: $(VENV)/.installed
	$(BIN)/nas search --budget 20000 --target 0.994 --epochs 20 $(ARGS)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(ARGS)

# Property tests too, all of them, with inputs that nobody has seen: `make test` draws the same ones every time.
test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "slow or network or hypothesis" --hypothesis-profile=fresh $(ARGS)

# Searches, their workers, exports and confirmations, killed for real: ARGS="--kills 1000".
chaos: $(VENV)/.installed-dev
	$(BIN)/python tests/chaos/run.py $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The reference in docs/, made from docstrings and the help of commands, and then all of docs/ as a site in site/.
# Warnings are errors, a dead link is one; what Material prints about its own future is none.
docs: $(VENV)/.installed-docs
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A wheel and an sdist in dist/, as the package index would take them.
dist: $(VENV)/.installed-dev
	$(INSTALL) --no-build-isolation --editable '.[dist]'
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/python -m twine check --strict dist/*

clean:
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find nas search_spaces studies tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are written last, so a set-up that was cut off is done again. Editable: what is changed in nas/,
# search_spaces/ and studies/ takes effect at once.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "nas needs Python 3.11 or newer, and '$(PYTHON)' is not; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) hatchling
	$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --no-build-isolation --editable '.[dev,dashboard,onnx,ray]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(INSTALL) --no-build-isolation --editable '.[docs]'
	@touch $@
