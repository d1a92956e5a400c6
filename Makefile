# Everything starts here: `make help`. Needs Python 3.11 or newer, and nothing else.

PYTHON ?=
PROMPT ?= a lighthouse at dawn, watercolour
PORT ?= 4566
SEEDS ?= 1000
PROFILE ?=
STAGED = --stage '$(or $(STAGE),$(error which stage? Say STAGE=dev))' $(if $(PROFILE),--profile '$(PROFILE)')
CORES := $(shell getconf _NPROCESSORS_ONLN)
PYTEST = .venv/bin/python -m pytest

export PROMPT
# Node comes from PyPI into .venv, and whatever asks for one (jsii does) must find that one first.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup run test journeys apart browser check lint types quick web format package screenshots \
	dashboard cost count-usage bench-pacing bench-burst bench-eta bench-feed bench-coldstart simulate \
	mutants chaos bootstrap diff deploy destroy clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' \
		| while IFS='|' read -r target text; do printf '%-20s %s\n' "$$target" "$$text"; done

setup: ## make the environment: .venv and node_modules (instant when nothing has changed)
	@PYTHON='$(PYTHON)' sh sandbox/setup.sh

run: setup ## start everything, generate one image (PROMPT="…"), stay up until Ctrl-C
	@exec bin/imagify up --port $(PORT) --prompt "$$PROMPT"

# What brings up an AWS of its own mostly waits for it, and leaves the cores to the others.
test: check browser ## lint, types and every test: the quick ones, then those on the emulator
	@$(MAKE) --no-print-directory -j2 journeys apart

journeys: setup
	$(PYTEST) -m "emulator and not apart"

apart: setup
	$(PYTEST) -m apart

browser: # what the page is opened in
	@sh sandbox/browser.sh

# At the same time: each keeps one core busy.
check: lint ## lint, types and the tests that need no emulator: two minutes
	@$(MAKE) --no-print-directory -j2 types quick web

quick: setup
	$(PYTEST) -m "not emulator"

lint: setup
	.venv/bin/ruff check
	.venv/bin/ruff format --check

types: setup
	.venv/bin/mypy

web: setup ## the page's code: lint, types, and the tests that need no browser
	node_modules/.bin/biome check --error-on-warnings
	node_modules/.bin/tsc
	node --test --test-reporter=dot 'tests/web/*.test.mjs'

format: setup ## put the code into its one format
	.venv/bin/ruff check --fix
	.venv/bin/ruff format
	node_modules/.bin/biome check --write

package: setup ## build the functions' Lambda package: Python 3.13 on arm64, without Docker
	.venv/bin/python -m infra.packaging

screenshots: setup browser ## take the pictures of the page in docs/screens
	SCREENS=docs/screens $(PYTEST) -m emulator tests/browser/test_screens.py

cost: setup ## draw docs/screens/cost.png and write the tables of docs/COST.md
	bin/imagify cost --stage prod --plot docs/screens/cost.png
	COST_PAGE=1 $(PYTEST) tests/unit/test_cost_page.py

count-usage: setup ## count anew what each thing that happens takes of AWS, into ops/costs/usage.toml
	COUNT_USAGE=1 $(PYTEST) tests/handlers/test_usage.py

dashboard: setup ## draw the picture of the dashboard in docs/screens, with made-up data
	.venv/bin/python -m infra.dashboard_picture

bench-pacing: setup ## measure how well the pace keeps and uses a quota, beside three rivals: 4 minutes
	.venv/bin/python -m benchmarks.pacing

bench-burst: setup ## measure forty jobs at once through the whole product
	.venv/bin/python -m benchmarks.burst

bench-eta: setup ## measure how true the waiting times are that the API tells
	.venv/bin/python -m benchmarks.eta

bench-feed: setup ## measure the feed with 300 sockets, a tenth of which is cut every second
	.venv/bin/python -m benchmarks.feed

bench-coldstart: setup ## measure how fast functions start from nothing, beside bare handlers: 2 minutes
	.venv/bin/python -m benchmarks.coldstart

simulate: setup ## run the whole service in SEEDS=1000 simulated worlds where everything fails
	.venv/bin/python -m tests.simulation --seeds $(SEEDS) --processes $(CORES)

mutants: setup ## put in one bug after another, and count the seeds until the simulation finds it
	.venv/bin/python -m tests.simulation --mutants --seeds 2000 --processes $(CORES)

chaos: setup ## break everything at once on a local run, and see that every promise is kept: 8 minutes
	.venv/bin/python -m tests.chaos

bootstrap: setup ## prepare the AWS account and region of STAGE=dev for the CDK, once (docs/DEPLOY.md)
	@bin/imagify bootstrap $(STAGED)

diff: setup ## say what deploying STAGE=dev would change in AWS
	@bin/imagify diff $(STAGED)

deploy: setup ## bring STAGE=dev to AWS, or bring it up to date (PROFILE=… names the credentials)
	@bin/imagify deploy $(STAGED)

destroy: setup ## delete STAGE=dev from AWS with all that is in it, after asking
	@bin/imagify destroy $(STAGED)

clean: ## remove what was made here: the environment, the local run's state, caches
	@if [ -x .venv/bin/python ]; then bin/imagify down; fi
	rm -rf .venv node_modules .sandbox build cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
