# make test: everything that the tests need, then all checks and tests.
# make demo: a real backup of /etc into ./demo, and its status.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: test demo tools lint clean

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/installed-test tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

demo: $(VENV)/installed tools
	PATH="$(CURDIR)/$(BIN):$$PATH" sh etc/demo.sh

tools:
	@command -v rsync >/dev/null || sh etc/install-debian.sh rsync

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/installed-test: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- for those who pack and publish

.PHONY: generated deb dist

# What is made from the tables: man pages, completions, the reference.
generated: $(VENV)/installed
	$(BIN)/python -m b1000.manual etc
	$(BIN)/python -m b1000.config.reference >docs/reference.md

deb:
	sh packaging/deb.sh

dist: $(VENV)/installed
	$(BIN)/pip install --quiet build
	$(BIN)/python -m build
