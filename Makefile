# Two commands on a fresh machine: 'make demo' and 'make test'. People and CI use the same targets.
# Needs make, git and one of CPython 3.10 to 3.13 with its venv module; everything else goes into $(VENV).

# The environment's folder, of which this file disposes; a second Python gets a second folder:
#   make test VENV=.venv312 PYTHON=python3.12
VENV ?= .venv
ifneq ($(words $(VENV)),1)
$(error VENV must be a path without spaces, such as .venv, which may stand in a folder whose name has some)
endif
# The interpreter that a new environment is made from: the first of these that runs and can make environments.
PYTHON ?= $(shell for v in 3.11 3.12 3.13 3.10; do "python$$v" -c 'import ensurepip, venv' >/dev/null 2>&1 && echo "python$$v" && exit; done; echo python3)
# Two processes: most of the tests' time is tracing, which one core does. A file's tests share fixtures and stay together.
# In their order by name: by number of tests, files with one long test would come last, one process waiting for the other.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder
UV_VERSION := 0.13.9

# Quoted wherever it is used, so that the checkout's path may hold spaces; make's own targets are relative.
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test minutes check lint format types core bench docs lock clean

help: ## Lists the targets.
	@sed -n 's/^\([a-z]*\):.*## /make \1|/p' Makefile | while IFS='|' read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.ready ## The whole journey on simulated galaxies, into the folder demo.
	rm -rf demo
	"$(BIN)/tfgalaxy" demo --output demo

test: $(VENV)/.ready ## The tests, without those of minutes; those of real galaxies run where TFGALAXY_REAL_DATA names their folder.
	"$(BIN)/python" -m pytest -m "not minutes" $(PYTEST_ARGS) tests

minutes: $(VENV)/.ready ## The tests that take a minute or more each.
	"$(BIN)/python" -m pytest -m minutes $(PYTEST_ARGS) tests

check: lint types test minutes ## What CI runs: linter, formatter check, type check and all tests.

lint: $(VENV)/.ready ## Linter and formatter check.
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .

format: $(VENV)/.ready ## Formats the code and applies the linter's safe corrections.
	"$(BIN)/ruff" check --fix .
	"$(BIN)/ruff" format .

# Type checkers do not follow package_dir: mypy runs in a folder of links that looks like the installed package.
types: $(VENV)/.ready ## Type check.
	"$(BIN)/python" tests/package_links.py "$(VENV)/links"
	root="$$PWD" && bin="$$(cd "$(BIN)" && pwd)" && cd "$$bin/../links" && \
	  "$$bin/mypy" --config-file "$$root/pyproject.toml" --cache-dir "$$root/.mypy_cache" -p tfgalaxy

# Run by CI on the second stack (docs/dependencies.md).
core: $(VENV)/.ready ## The tests marked core and the demo.
	"$(BIN)/python" -m pytest -m core $(PYTEST_ARGS) tests
	rm -rf "$(VENV)/demo"
	"$(BIN)/tfgalaxy" demo --output "$(VENV)/demo"

# Under 15 minutes where nothing else runs. What BENCH_ARGS names goes before: --quick, or --markdown docs/performance.md.
bench: $(VENV)/.ready ## Speed and memory against the yardstick, into bench/speed.json and .md; BENCH_ARGS=--quick to try it.
	mkdir -p bench
	"$(BIN)/python" benchmarks/speed.py --json bench/speed.json --markdown bench/speed.md $(BENCH_ARGS)

# The environment is made anew only when the lock's content changed, or when the environment was moved, copied, cut
# short or lost its interpreter; a change of setup.cfg only installs the package again. Each stamp holds a hash of what
# it was made from, so new time stamps ('touch', a fresh checkout) do nothing. Stamps are written last.
LOCKED_KEY = { cat requirements.lock; "$(BIN)/python" -I -c 'import os, sys; print(os.path.realpath(sys.prefix))'; } 2>/dev/null | sha256sum | cut -c1-64
READY_KEY = cat "$(VENV)/.locked" setup.cfg 2>/dev/null | sha256sum | cut -c1-64

ifneq ($(shell $(LOCKED_KEY)),$(shell cat "$(VENV)/.locked" 2>/dev/null))
.PHONY: $(VENV)/.locked $(VENV)/.ready
else ifneq ($(shell $(READY_KEY)),$(shell cat "$(VENV)/.ready" 2>/dev/null))
.PHONY: $(VENV)/.ready
endif

$(VENV)/.locked:
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || \
	  { echo "make: tfgalaxy needs CPython 3.10 to 3.13, not $(PYTHON); name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	rm -rf "$(VENV)/.locked" "$(VENV)"
	@"$(PYTHON)" -m venv "$(VENV)" || \
	  { rm -rf "$(VENV)"; echo "make: $(PYTHON) cannot make $(VENV); on Debian and Ubuntu first: sudo apt-get install python3-venv" >&2; exit 1; }
	"$(BIN)/python" -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	"$(BIN)/uv" pip install -q --python "$(BIN)/python" --compile-bytecode --require-hashes -r requirements.lock
	@$(LOCKED_KEY) > "$(VENV)/.locked"

# Order-only: whether .locked is newer says nothing, its content stands in the key.
$(VENV)/.ready: | $(VENV)/.locked
	"$(BIN)/uv" pip install -q --python "$(BIN)/python" --no-deps --no-build-isolation -e .
	@$(READY_KEY) > "$(VENV)/.ready"

# Links, since package_dir is not followed here either. The notice that is turned off is about another program's version.
docs: $(VENV)/.ready ## The documentation, into the folder site; a warning is an error.
	"$(BIN)/python" tests/package_links.py "$(VENV)/links"
	NO_MKDOCS_2_WARNING=1 TFGALAXY_LINKS="$(VENV)/links" "$(BIN)/python" -m mkdocs build --strict

lock: $(VENV)/.ready ## Resolves setup.cfg anew, to the newest versions within its bounds.
	"$(BIN)/uv" pip compile -q --universal --generate-hashes --extra docs --extra test --python-version 3.10 --upgrade \
	  --custom-compile-command 'make lock' setup.cfg -o requirements.lock

clean: ## Removes the environment and what 'make demo', 'make bench' and 'make docs' made.
	rm -rf "$(VENV)" demo bench site
