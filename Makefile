# `make demo` and `make test` set up what they need: a virtual environment in .venv, from the lock files.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
DEMO_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=
EVAL_ARGS ?=
DIR ?= tests/data/captures
CASES ?= tests/data/cost/cases.jsonl
TEXTS ?= tests/data/redaction
DATA ?= tests/data/adversarial

.PHONY: demo chat test lint bench bench-soak docs dashboards servers eval-adversarial eval-captures eval-cost eval-faults eval-latency \
	eval-metrics eval-redaction eval-sampling price-changes \
	record check-pairs train-adversarial chart \
	lock sbom try-image clean

demo: .venv/.run
	$(BIN)/penstock demo $(DEMO_ARGS)

# A real client of an LLM, reporting to a running demo.
chat: .venv/.dev
	$(BIN)/python -m examples.chat

test: .venv/.dev
	$(BIN)/pytest -n 2 -m "not soak" $(TEST_ARGS)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.dev
	$(BIN)/python -m tests.benchmarks $(BENCH_ARGS)

bench-soak: .venv/.dev
	$(BIN)/python -m tests.benchmarks --soak $(BENCH_ARGS)

docs: .venv/.run
	$(BIN)/penstock docs docs/components

# A chart reads no files outside its folder: copies of those that it needs. A test compares them.
chart:
	rm -rf deploy/helm/penstock/files
	mkdir -p $(addprefix deploy/helm/penstock/files/,configs/overlays rules dashboards)
	cp $(addprefix configs/,$(addsuffix .yaml,gateway gateway-kafka worker-kafka sidecar)) deploy/helm/penstock/files/configs
	cp configs/overlays/*.yaml deploy/helm/penstock/files/configs/overlays
	cp deploy/prometheus/*.rules.yaml deploy/helm/penstock/files/rules
	cp deploy/grafana/dashboards/*.json deploy/helm/penstock/files/dashboards

# Grafana dashboards out of deploy/grafana/sources, and their table in docs/dashboards.md.
dashboards: .venv/.run
	$(BIN)/python -m deploy.grafana.build

servers:
	scripts/servers

eval-captures: .venv/.dev
	$(BIN)/python -m tests.evaluation.captures $(DIR) $(EVAL_ARGS)

eval-latency: .venv/.dev
	$(BIN)/python -m tests.evaluation.latency $(DIR) $(EVAL_ARGS)

eval-metrics: .venv/.dev
	$(BIN)/python -m tests.evaluation.metrics $(DIR) $(EVAL_ARGS)

eval-cost: .venv/.dev
	$(BIN)/python -m tests.evaluation.cost $(CASES)

# Labelled texts, recordings with planted values, and code and documents in which next to nothing is secret.
eval-redaction: .venv/.dev
	$(BIN)/python -m tests.evaluation.redaction_report $(TEXTS) $(DIR) $(EVAL_ARGS)

# The shipped model on labelled texts (dev.jsonl or dev.jsonl.gz); where DATA has train.jsonl.gz, also models trained
# without whole families of sources on these, which takes half an hour (EVAL_ARGS="--only model" does without).
# EVAL_ARGS="--write docs/adversarial-measured.md processors/adversarial/MODEL_CARD.md" puts the tables there.
eval-adversarial: $(if $(wildcard $(DATA)/train.jsonl.gz),.venv/.train,.venv/.dev)
	$(BIN)/python -m tests.evaluation.adversarial $(DATA) $(EVAL_ARGS)

# Thousands of simulated traces with known totals: estimates, intervals, budgets, fair shares, whole traces.
eval-sampling: .venv/.dev
	$(BIN)/python -m tests.evaluation.sampling $(EVAL_ARGS)

# Kills, brokers that die, full disks: a ledger of what arrives. EVAL_ARGS="--only durable_kill --kills 20 --beside"
eval-faults: .venv/.dev
	$(BIN)/python -m tests.integration.faults $(EVAL_ARGS)

# What another version of genai-prices changes; NEW is its wheel, or a folder that has it.
price-changes: .venv/.run
	$(BIN)/python scripts/price-changes $(NEW)

# Records the telemetry of a real library against a provider on loopback; NAME is a driver in tests/recording/drivers.
record: .venv/.dev
	$(BIN)/python -m tests.recording $(NAME)

# The written pairs of attack and harmless twin: how many, how varied.
check-pairs: .venv/.dev
	$(BIN)/python -m training.adversarial.pairs_check

# Writes the model of `adversarial` into the package; DATA is a folder with train.jsonl.gz. The same texts, the same model.
train-adversarial: .venv/.train
	$(BIN)/python -m training.adversarial $(DATA)

# Regenerates the lock files; needs the program `uv`. The image's have a hash for each file of each package.
UV_LOCK := uv pip compile -q --no-annotate --no-header --no-emit-index-url
UV_LOCK_IMAGE := $(UV_LOCK) --python-version 3.11 --python-platform linux --generate-hashes
lock:
	$(UV_LOCK) --universal --python-version 3.11 --all-extras pyproject.toml -o requirements.lock
	$(UV_LOCK) --universal --python-version 3.11 --all-extras --group dev pyproject.toml -c requirements.lock -o requirements-dev.lock
	$(UV_LOCK) --universal --python-version 3.11 --all-extras --group train pyproject.toml -c requirements-dev.lock -o requirements-train.lock
	$(UV_LOCK_IMAGE) --all-extras pyproject.toml -c requirements.lock -o deploy/docker/requirements.lock
	echo 'hatchling>=1.26' | $(UV_LOCK_IMAGE) - -c requirements-dev.lock -o deploy/docker/build.lock

# What is in the image, as CycloneDX; from its lock file.
sbom: .venv/.dev
	$(BIN)/python scripts/sbom

# Builds the Dockerfile on a fresh Debian, without an engine, and runs what comes out; needs root, debootstrap, buildah, the network.
try-image: .venv/.dev
	$(BIN)/pytest -n 0 -m soak --timeout 3600 tests/integration/test_image.py $(TEST_ARGS)

clean:
	rm -rf .venv build dist

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Penstock needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv

.venv/.run: .venv/bin/python requirements.lock pyproject.toml
	$(BIN)/pip install -q --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/.dev: .venv/.run requirements-dev.lock
	$(BIN)/pip install -q --disable-pip-version-check -r requirements-dev.lock
	@touch $@

.venv/.train: .venv/.dev requirements-train.lock
	$(BIN)/pip install -q --disable-pip-version-check -r requirements-train.lock
	@touch $@
