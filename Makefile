# facespace: `make` lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CORE := $(VENV)/.installed-core
DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help people serve test check format bench clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

people: $(CORE)  ## find and group the people of a folder: make people PHOTOS=~/Pictures
	@test -n "$(PHOTOS)" || { echo 'make people needs a folder of photos: make people PHOTOS=~/Pictures' >&2; exit 2; }
	@$(BIN)/facespace people "$(PHOTOS)" $(if $(LIBRARY),--library "$(LIBRARY)")

serve: $(CORE)  ## look at the people found, name and correct them: make serve PHOTOS=~/Pictures
	@test -n "$(PHOTOS)" || { echo 'make serve needs the folder that make people was given: make serve PHOTOS=~/Pictures' >&2; exit 2; }
	@$(BIN)/facespace serve "$(PHOTOS)"

test: check  ## install what the tests need, check and test
	$(BIN)/python -m pytest

check: $(DEV)  ## format, lint, types, layer rules
	$(BIN)/ruff format --check src tests recipes lab
	$(BIN)/ruff check src tests recipes lab
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_layers.py tests/test_docs.py

format: $(DEV)  ## format the code and mend what the linter can
	$(BIN)/ruff check --fix src tests recipes lab
	$(BIN)/ruff format src tests recipes lab

bench: $(CORE)  ## speed and memory on this machine: make bench PHOTOS=~/Pictures
	@test -n "$(PHOTOS)" || { echo "make bench needs a folder of photos: make bench PHOTOS=~/Pictures" >&2; exit 2; }
	@$(BIN)/facespace bench "$(PHOTOS)"

clean:  ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "facespace needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12 ...")'
	@echo 'making the environment in $(VENV), once' >&2
	@$(PYTHON) -m venv $(VENV)

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) install --constraint constraints.txt --editable '.[heif,serve]'
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(CORE)
