# `make demo`: environment + Tables 2 and 3 on the embedded miniature.   `make test`: environment + tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEEDS ?= 0
PROFILE ?= mini

.PHONY: demo test lint clean help

help:
	@sed -n '1p' $(firstword $(MAKEFILE_LIST)) | sed 's/^# //'

# A new interpreter check first: venv succeeds with an old Python and pip fails minutes later.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) -V). Try: make demo PYTHON=python3.11" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/python -m benchmark run --table 2,3 --profile $(PROFILE) --seeds $(SEEDS)

test: $(STAMP)
	$(BIN)/python -m pytest -n auto

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .benchmark .pytest_cache .mypy_cache .ruff_cache
