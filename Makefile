# StratVector: `make help` lists what can be done. Longer work is done by tools/*.sh.
.DEFAULT_GOAL := help
.PHONY: help setup run test heat-test simulation chaos images up-docker token-docker \
    down-docker backup restore deploy-test bench soak fuzz-api lint format lines dashboards proto proto-release lock coverage clean
SHELL := /bin/bash
BIN := .venv/bin
CHECKED := NUMBA_BOUNDSCHECK=1 $(BIN)/python -m
CODE := $(wildcard libs services tests benchmarks examples grafana deploy tools conftest.py)
# One more than the two processors of the smallest machine: tests of processes wait half of their time.
WORKERS ?= 3
# A file stays on one worker: what it starts once serves all its tests, in their order.
SHARED := --dist loadfile --no-loadscope-reorder
ARGS ?=

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## Install everything into .venv and compile the engine
	@tools/setup.sh

run: setup  ## Trade the sample portfolio through every service (ARGS=--once exits at the end)
	@$(BIN)/stratvector up $(ARGS)

test: setup  ## Run every test (Chromium, Prometheus and Helm are installed where they may be)
	@tools/browser.sh
	@tools/prometheus.sh
	@tools/helm.sh
	$(CHECKED) stratvector.trading.warm
	$(CHECKED) pytest -n $(WORKERS) $(SHARED) libs services tests $(ARGS)
	cargo test --workspace --locked --release --quiet

heat-test: setup  ## Check the OpenStack template by Heat's own engine, in a venv of its own
	@tools/heat.sh
	$(BIN)/python -m pytest $(wildcard tests/deploy/test_heat_*.py) $(ARGS)

simulation: setup  ## Run the long fault simulation: 1,000 seeds
	$(CHECKED) pytest tests/simulation --seeds 1000 -n $(WORKERS) $(ARGS)

chaos: setup  ## Run the long suites: each kill alone, 20 random ones, memory of 20,000 closes
	$(CHECKED) pytest tests/chaos tests/processes/test_shared_lanes.py \
	    tests/simulation/test_moving_lanes.py --long --kills 20 --closes 2000 $(ARGS)
	$(CHECKED) pytest libs services tests --ignore=tests/chaos --long \
	    -m long $(ARGS)

images:  ## Build every image (NUMBA_CPU_NAME=x86-64-v3 for AVX2)
	@deploy/docker/build.sh

up-docker:  ## Start the whole platform in containers: https://localhost:8000, Grafana at 3000
	@deploy/docker/compose.sh up --detach
	@deploy/docker/compose.sh token

token-docker:  ## Print the token with which the console of the containers is entered
	@deploy/docker/compose.sh token

down-docker:  ## Stop the containers; what they recorded stays (ARGS=--volumes removes it)
	@deploy/docker/compose.sh down $(ARGS)

backup:  ## Back the containers' platform up while it trades: make backup TO=folder
	@deploy/docker/compose.sh backup "$(or $(TO),$(error name the folder of the backups: make backup TO=folder))"

restore:  ## Restore an empty platform of containers, held: make restore FROM=folder/stratvector-TIME
	@deploy/docker/compose.sh restore "$(or $(FROM),$(error name one backup: make restore FROM=folder/stratvector-TIME))"

deploy-test: setup  ## Build the images and test them and the compose file (FORM=short: the flow alone)
	@tools/deploy_test.sh $(or $(FORM),all) $(ARGS)

bench: $(patsubst benchmarks/bench_%.py,bench-%,$(wildcard benchmarks/bench_*.py))  ## Run every benchmark

bench-%: setup  ## Run one benchmark, such as bench-engine
	$(BIN)/python -m benchmarks.bench_$* $(ARGS)

soak: setup  ## Run a life of a million closes, which takes about an hour (ARGS='--closes 100000')
	$(BIN)/python -m benchmarks.bench_soak --closes 1000000 $(ARGS)

fuzz-api: setup  ## Fuzz the REST API with Schemathesis, in a venv of its own (EXAMPLES=100)
	@tools/fuzz_api.sh

lint: setup  ## Check style, types, import rules, protos and Rust
	@tools/lint.sh $(CODE)

format: setup  ## Format Python, protos and Rust
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)
	$(if $(wildcard proto),$(BIN)/buf format --write)
	cargo fmt --all

lines: setup  ## Print the lines of code of each member, tests apart
	@$(BIN)/python tools/lines.py

dashboards: setup  ## Write Grafana's dashboards, in a venv of its own (ARGS=--check)
	@tools/grafana.sh $(ARGS)

proto: setup  ## Generate the protobuf code again
	tools/proto.sh

proto-release: setup  ## Hold later protos against these: part of a release
	$(BIN)/buf build --exclude-source-info --output proto/released.binpb

lock: setup  ## Resolve the hash-pinned locks again (ARGS=--upgrade takes the newest)
	tools/lock.sh $(ARGS)

coverage: setup  ## Run the tests with line and branch coverage (htmlcov/)
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term --cov-report=html \
	    libs services tests --ignore=tests/simulation $(ARGS)

clean:  ## Remove .venv, builds, caches and generated code
	rm -rf .venv target build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache \
	    .pytest_cache .hypothesis .import_linter_cache libs/contracts/src/stratvector/contracts/v1
	find libs services tests -name __pycache__ -type d -prune -exec rm -rf {} +
