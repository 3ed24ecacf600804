# Every target sets itself up: the first call makes .venv, later ones are quick.
PYTHON ?= python3
BIN := .venv/bin
DEMO := examples/photos

.PHONY: demo test test-slow check clean

demo: .venv/core
	$(BIN)/hrnet predict $(DEMO) --out out

test: .venv/dev check
	$(BIN)/pytest -m "not slow"

test-slow: .venv/dev
	$(BIN)/pytest -m slow

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

.venv/bin/pip:
	$(PYTHON) -c "import sys; sys.exit('hrnet needs Python 3.11 or newer; name one: make PYTHON=python3.12' if sys.version_info < (3, 11) else 0)"
	$(PYTHON) -m venv .venv

.venv/core: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "installing into .venv (a few minutes, once)"
	$(BIN)/pip install --quiet -c constraints.txt -e .
	touch $@

.venv/dev: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "installing what tests need into .venv (a few minutes, once)"
	$(BIN)/pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@ .venv/core

clean:
	rm -rf .venv out runs
