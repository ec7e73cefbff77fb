# Nightshift: the commands anyone types.
.DEFAULT_GOAL := help
.PHONY: help install run cost test crash-proof bench lint unit requirements clean
.PHONY: night-report tickets-failed tickets-retry

# pyenv reads .python-version; without pyenv any Python 3.13 on the PATH will do.
PYTHON ?= $(shell command -v python3.13 || command -v python3)
BIN := .venv/bin
REQUIREMENTS := layers/dependencies/requirements.txt requirements-dev.txt
# Where the last run of the tests left what it measured.
BUILD := .build
# The stack that the commands for operators look at; `sam deploy` calls it so.
STACK ?= nightshift
CHECKOV := $(BUILD)/checkov/bin/checkov

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(BIN)/.installed ## the development environment, in .venv

$(BIN)/.installed: $(REQUIREMENTS) .python-version
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' \
		|| { echo "Nightshift needs Python 3.13 (see .python-version): pyenv install 3.13"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements-dev.txt
	touch $@

run: install ## a whole night on this machine: TICKETS=file to bring your own, CLAUDE=real for the real API
	@$(BIN)/python -m tools.local.night $(if $(TICKETS),--tickets "$(TICKETS)") $(if $(CLAUDE),--claude $(CLAUDE))

cost: install ## what it would cost, every model side by side: TICKETS=file, MODEL=name; sends nothing
	@$(BIN)/python -m tools.desk.cost $(if $(TICKETS),--tickets "$(TICKETS)") $(if $(MODEL),--model "$(MODEL)")

night-report: install ## a night of a deployed stack as a page: STACK=name, RUN=2026-11-22, OUT=file
	@$(BIN)/python -m tools.operate.night_report --stack "$(STACK)" \
		$(if $(RUN),--run "$(RUN)") $(if $(OUT),--out "$(OUT)")

tickets-failed: install ## the tickets that a stack gave up, with reasons: STACK=name, REASON=short-name, LIMIT=rows
	@$(BIN)/python -m tools.operate.failed_tickets list --stack "$(STACK)" \
		$(if $(REASON),--reason "$(REASON)") $(if $(LIMIT),--limit "$(LIMIT)")

tickets-retry: install ## ask for them again: STACK=name, REASON=short-name, YES=1 to skip the question, DRY_RUN=1
	@$(BIN)/python -m tools.operate.failed_tickets retry --stack "$(STACK)" \
		$(if $(REASON),--reason "$(REASON)") $(if $(YES),--yes) $(if $(DRY_RUN),--dry-run)

test: lint ## everything that proves it: style, types, units, handlers, the deployed stack
	COVERAGE_CORE=sysmon $(BIN)/python -m pytest -n 2 --dist loadfile \
		--cov=layers/nightshift/nightshift --cov-report=term --durations=5

crash-proof: install ## die at every call, lose every response: is anybody paid twice?
	@$(BIN)/python -m tests.crash_proof $(ARGS)

bench: install ## against the plain way: time, memory, calls, the bill
	@$(BIN)/python -m tests.bench $(ARGS)

lint: install $(CHECKOV) ## style, types, template, workflow, security
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy layers/nightshift/nightshift
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint
	$(CHECKOV) --file template.yaml --config-file tests/infrastructure/checkov.yaml

# An environment of its own: it pins other versions of what the rest needs.
$(CHECKOV): requirements-checkov.txt | $(BIN)/.installed
	$(BIN)/python -m venv --clear $(BUILD)/checkov
	$(BUILD)/checkov/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps --no-compile -r requirements-checkov.txt
	touch $@

unit: install ## the tests that need neither the local cloud nor a build
	$(BIN)/python -m pytest tests/unit tests/moto tests/infrastructure

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.13 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate
PIN := $(COMPILE) layers/dependencies/requirements.in

requirements: install ## pin again what layers/dependencies/requirements.in and pyproject.toml ask for
	$(PIN) --group pyproject.toml:dev -o requirements-dev.txt
	# The layer takes the very versions that the tests run on.
	$(PIN) --constraint requirements-dev.txt -o layers/dependencies/requirements.txt
	$(COMPILE) --group pyproject.toml:checkov -o requirements-checkov.txt

clean: ## forget everything that was built
	rm -rf .venv .aws-sam $(BUILD) .pytest_cache .mypy_cache .ruff_cache
