# Everything starts here: `make help`. Needs Python 3.11 or newer, and nothing else.

PYTHON ?=
PROMPT ?= a lighthouse at dawn, watercolour
PORT ?= 4566
PYTEST = .venv/bin/python -m pytest

export PROMPT
# Node comes from PyPI into .venv, and whatever asks for one (jsii does) must find that one first.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint types quick format package bench-pacing bench-burst clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' \
		| while IFS='|' read -r target text; do printf '%-20s %s\n' "$$target" "$$text"; done

setup: ## make the environment: .venv and node_modules (instant when nothing has changed)
	@PYTHON='$(PYTHON)' sh sandbox/setup.sh

run: setup ## start everything, generate one image (PROMPT="…"), stay up until Ctrl-C
	@exec bin/imagify up --port $(PORT) --prompt "$$PROMPT"

test: check ## lint, types and every test: the quick ones, then those on the emulator
	$(PYTEST) -m emulator

# Types and quick tests at the same time: each keeps one core busy.
check: lint ## lint, types and the tests that need no emulator: under a minute
	@$(MAKE) --no-print-directory -j2 types quick

quick: setup
	$(PYTEST) -m "not emulator"

lint: setup
	.venv/bin/ruff check
	.venv/bin/ruff format --check

types: setup
	.venv/bin/mypy

format: setup ## put the code into its one format
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

package: setup ## build the functions' Lambda package: Python 3.13 on arm64, without Docker
	.venv/bin/python -m infra.packaging

bench-pacing: setup ## measure how well the pace keeps and uses a quota, beside three rivals: 4 minutes
	.venv/bin/python -m benchmarks.pacing

bench-burst: setup ## measure forty jobs at once through the whole product
	.venv/bin/python -m benchmarks.burst

clean: ## remove what was made here: the environment, the local run's state, caches
	@if [ -x .venv/bin/python ]; then bin/imagify down; fi
	rm -rf .venv node_modules .sandbox build cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
