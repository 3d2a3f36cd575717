# Two commands on a fresh machine: 'make demo' and 'make test'. People and CI use the same targets.
PYTHON ?= $(firstword $(foreach v,3.11 3.12 3.13 3.10,$(shell python$(v) -c 'import sys' 2>/dev/null && echo python$(v))) python3)
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

.PHONY: demo test check lint format types core lock clean

demo: $(VENV)/.ready
	$(BIN)/tfgalaxy demo --output demo

test: $(VENV)/.ready
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests

check: lint types test

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Type checkers do not follow package_dir: give them a folder of links that looks like the installed package.
types: $(VENV)/.ready
	$(BIN)/python tests/package_links.py $(VENV)/links
	cd $(VENV)/links && ../../$(BIN)/mypy --config-file ../../pyproject.toml -p tfgalaxy

# What the second stack must do: fit in each regime, Mirrored, .keras round trip, SavedModel through the C API; then the demo.
core: $(VENV)/.ready
	$(BIN)/python -m pytest -m core $(PYTEST_ARGS) tests
	$(BIN)/tfgalaxy demo --output $(VENV)/demo

# The environment is rebuilt only when the lock's content changed; its hash stands in .ready, so a fresh checkout's
# new time stamps, or a 'touch', rebuild nothing.
LOCK_HASH := $(shell cat requirements.lock setup.cfg pyproject.toml 2>/dev/null | sha256sum | cut -c1-64)
ifneq ($(LOCK_HASH),$(shell cat $(VENV)/.ready 2>/dev/null))
.PHONY: $(VENV)/.ready
endif

$(VENV)/.ready:
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "make: cannot create $(VENV); first: sudo apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install -q --disable-pip-version-check uv
	$(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	echo $(LOCK_HASH) > $(VENV)/.ready

lock: $(VENV)/.ready
	$(BIN)/uv pip compile -q --universal --generate-hashes --extra test --python-version 3.10 --upgrade --custom-compile-command 'make lock' setup.cfg -o requirements.lock

clean:
	rm -rf $(VENV) demo
