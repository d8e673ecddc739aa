# facespace: `make` lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CORE := $(VENV)/.installed-core
DEV := $(VENV)/.installed-dev
CODE := src tests recipes lab
FAST := $(filter-out tests/test_built_in.py,$(wildcard tests/test_*.py)) tests/metrics tests/models tests/faces tests/images tests/cluster tests/store tests/extract \
	tests/cli/test_tree.py

# Documents written by people; what commands write keeps its form.
WRITTEN := docs/api.md docs/commands.md docs/measure.md docs/reproduction.md docs/cluster_scores.md
PAGES = README.md CONTRIBUTING.md $(filter-out $(WRITTEN),$(wildcard docs/*.md))

.DEFAULT_GOAL := help
.PHONY: help people serve client clients test slow quick coverage check format docs bench clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

people: $(CORE)  ## group the photos of a folder by person: make people PHOTOS=~/Pictures
	@test -n "$(PHOTOS)" || { echo 'make people needs a folder of photos: make people PHOTOS=~/Pictures' >&2; exit 2; }
	@$(BIN)/facespace people "$(PHOTOS)" $(if $(LIBRARY),--library "$(LIBRARY)")

serve: $(CORE)  ## open a photo library in the browser: make serve PHOTOS=~/Pictures
	@test -n "$(PHOTOS)$(LIBRARY)" || { echo 'make serve needs the folder that make people was given: make serve PHOTOS=~/Pictures' >&2; exit 2; }
	@$(BIN)/facespace serve $(if $(PHOTOS),"$(PHOTOS)") $(if $(LIBRARY),--library "$(LIBRARY)")

client: $(CORE)  ## fetch what the browser's client of `facespace api` runs on, from npm
	@$(BIN)/python -m lab.browser_runtime

clients: $(DEV) client  ## fetch CompreFace's own clients too, which tests ask the service with
	@$(PIP) install --no-deps --constraint constraints.txt compreface-sdk  # it pins a helper that breaks with urllib3 2
	@npm install --silent --no-save --no-audit --no-fund --ignore-scripts --prefix .work/compreface-js @exadel/compreface-js-sdk@1.0.0

test: check  ## check and run all tests but the slow ones
	$(BIN)/python -m pytest

slow: $(DEV)  ## run the tests that take minutes on real faces
	$(BIN)/python -m pytest -m slow

quick: $(DEV)  ## lint, and run the fast tests (under two minutes)
	$(BIN)/ruff check $(CODE)
	$(BIN)/python -m pytest $(FAST)

coverage: $(DEV)  ## run all tests with coverage, which costs a third more time before Python 3.12
	COVERAGE_CORE=$$($(BIN)/python -c 'import sys; print("sysmon" if sys.version_info >= (3, 12) else "ctrace")') \
		$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

check: $(DEV)  ## check format, lint, types and layer rules
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini
	$(BIN)/python -m pytest tests/test_layers.py tests/test_docs.py

format: $(DEV)  ## format the code and fix what the linter can
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)
	$(BIN)/mdformat $(PAGES)

docs: $(DEV)  ## build the documentation site into site/, strictly
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

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
	@$(PIP) install --constraint constraints.txt --editable '.[heif,video,serve]'
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(CORE)
