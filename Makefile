# `make demo`: environment + Tables 2 and 3 on the embedded miniature.   `make test`: environment + tests.
# Versions are those of constraints.txt; `LATEST=1` takes the newest that pyproject.toml allows, `make constraints` records them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LATEST ?=
# A stamp for each way to choose versions: a switch installs again.
STAMP := $(VENV)/.installed$(if $(filter 1,$(LATEST)),-latest)
SEEDS ?= 0
PROFILE ?= mini

.PHONY: demo test campaign lint install constraints clean help

help:
	@sed -n '1,2p' $(firstword $(MAKEFILE_LIST)) | sed 's/^# //'

PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

# A new interpreter check first: venv succeeds with an old Python and pip fails minutes later.
define check_python
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) -V). Try: make demo PYTHON=python3.11" >&2; exit 2; }
endef

$(STAMP): pyproject.toml $(if $(filter 1,$(LATEST)),,constraints.txt)
	$(check_python)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/.installed*
	$(BIN)/python $(PIP_INSTALL) -e '.[dev]' $(if $(filter 1,$(LATEST)),--upgrade --upgrade-strategy eager,-c constraints.txt)
	@touch $@

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/python -m benchmark run --table 2,3 --profile $(PROFILE) --seeds $(SEEDS)

test: $(STAMP)
	$(BIN)/python -m pytest -n auto

# Thousands of crashes and damages, minutes; CAMPAIGN="--crashes N --damages N --seed S" chooses others.
campaign: $(STAMP)
	$(BIN)/python -m tests.campaigns $(CAMPAIGN)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Of a new environment with every extra (crf needs a C++ compiler); a build of torch for one device is none of its version.
constraints:
	$(check_python)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	  $(PYTHON) -m venv "$$folder" && \
	  "$$folder/bin/python" $(PIP_INSTALL) -e '.[dev,crf,data]' && \
	  "$$folder/bin/python" -m pip freeze --all --exclude pip --exclude-editable >"$$folder/versions" && \
	  sed 's/+.*//' "$$folder/versions" | LC_ALL=C sort -f >constraints.txt

clean:
	rm -rf $(VENV) .benchmark .pytest_cache .mypy_cache .ruff_cache
