# Nightshift: the commands anyone types.
.DEFAULT_GOAL := help
.PHONY: help tools install run cost check-task test crash-proof bench lint unit requirements clean
.PHONY: nights start night-report tickets-load tickets-export tickets-failed tickets-retry
.PHONY: tickets-again try evaluate review quality corrections
.PHONY: lint-style lint-types lint-template lint-security

# pyenv reads .python-version; without pyenv any Python 3.13 on the PATH will do.
PYTHON ?= $(shell command -v python3.13 || command -v python3)
BIN := .venv/bin
# Most modules of the packages are never imported: those that are, are compiled then.
PIP := $(BIN)/python -m pip install --disable-pip-version-check --require-hashes --no-compile
VERSION := $(shell sed -n 's/^version = "\([^"]*\)".*/\1/p' pyproject.toml)
# Where the last run of the tests left what it measured.
BUILD := .build
# The stack that the commands for operators look at; `sam deploy` calls it so. STACK=local is the
# one in the cloud that `make run KEEP=1` keeps up.
STACK ?= nightshift
CHECKOV := $(BUILD)/checkov/bin/checkov

help: ## what there is
	@echo "Nightshift $(VERSION)"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

tools: $(BIN)/.tools # what `make run` and the commands for operators need, in .venv

install: $(BIN)/.installed ## what the tests need as well, in .venv

# The .pth file has Python find the package in layers/, whoever starts it and wherever the clone is.
$(BIN)/.tools: requirements-tools.txt .python-version
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' \
		|| { echo "Nightshift needs Python 3.13 (see .python-version): pyenv install 3.13"; exit 1; }
	@echo "The first time takes a minute or two: packages for .venv (some 70 MB), then a build."
	$(PYTHON) -m venv --clear .venv
	$(PIP) -r requirements-tools.txt
	echo ../../../../layers/nightshift > .venv/lib/python3.13/site-packages/nightshift.pth
	touch $@

$(BIN)/.installed: requirements-dev.txt $(BIN)/.tools
	$(PIP) -r requirements-tools.txt -r requirements-dev.txt
	touch $@

run: tools ## a night here: TICKETS=, MAP=, TASK=, MODEL=, KEEP=1
	@$(BIN)/python -m tools.local.night $(if $(TICKETS),--tickets "$(TICKETS)") \
		$(if $(MAP),--map "$(MAP)") \
		$(if $(TASK),--task "$(TASK)") $(if $(MODEL),--model "$(MODEL)") \
		$(if $(CLAUDE),--claude $(CLAUDE)) $(if $(KEEP),--keep)

cost: tools ## what tickets cost: TICKETS=, MAP=, TASK=, MODEL=
	@$(BIN)/python -m tools.desk.cost $(if $(TICKETS),--tickets "$(TICKETS)") \
		$(if $(MAP),--map "$(MAP)") \
		$(if $(TASK),--task "$(TASK)") $(if $(MODEL),--model "$(MODEL)")

check-task: tools ## whether a task file fits: TASK=name or file, MODEL=name
	@$(BIN)/python -m tools.desk.check_task $(if $(TASK),"$(TASK)") \
		$(if $(MODEL),--model "$(MODEL)")

try: tools ## a few tickets asked now: TICKETS=, N=10, TASK=, MODEL=
	@$(BIN)/python -m tools.desk.try_task $(if $(TICKETS),--tickets "$(TICKETS)") \
		$(if $(N),--count "$(N)") $(if $(TASK),--task "$(TASK)") $(if $(MODEL),--model "$(MODEL)") \
		$(if $(CLAUDE),--claude $(CLAUDE)) $(if $(MAP),--map "$(MAP)")

evaluate: tools ## how right, how dear: TICKETS=, TASK=a,b, MODEL=x,y
	@$(BIN)/python -m tools.desk.evaluate $(if $(TICKETS),--tickets "$(TICKETS)") \
		$(if $(TASK),--tasks "$(TASK)") $(if $(MODEL),--models "$(MODEL)") \
		$(if $(CLAUDE),--claude $(CLAUDE)) $(if $(MIN),--min "$(MIN)") $(if $(MAP),--map "$(MAP)") \
		$(if $(AGAINST),--against "$(AGAINST)") $(if $(OUT),--out "$(OUT)")

nights: tools ## five nights to look at, as pages, good and bad: OPEN=0
	@$(BIN)/python -m tests.example_nights $(if $(filter 0,$(OPEN)),--no-open)

start: tools ## a night by hand: STACK=name, INPUT='{"limit": 100}'
	@$(BIN)/python -m tools.operate.start --stack "$(STACK)" $(if $(INPUT),--input '$(INPUT)')

night-report: tools ## a night as a page: STACK=name, RUN=2026-11-22, OUT=file
	@$(BIN)/python -m tools.operate.night_report --stack "$(STACK)" \
		$(if $(RUN),--run "$(RUN)") $(if $(OUT),--out "$(OUT)")

tickets-failed: tools ## tickets given up: STACK=name, REASON=name, LIMIT=rows
	@$(BIN)/python -m tools.operate.failed_tickets list --stack "$(STACK)" \
		$(if $(REASON),--reason "$(REASON)") $(if $(LIMIT),--limit "$(LIMIT)")

tickets-retry: tools ## ask again: STACK=name, REASON=name, DRY_RUN=1, YES=1
	@$(BIN)/python -m tools.operate.failed_tickets retry --stack "$(STACK)" \
		$(if $(REASON),--reason "$(REASON)") $(if $(YES),--yes) $(if $(DRY_RUN),--dry-run)

tickets-load: tools ## a file into a stack's table: STACK=, TICKETS=, MAP=, TASK=
	@$(BIN)/python -m tools.desk.load --stack "$(STACK)" \
		$(if $(TICKETS),--tickets "$(TICKETS)") $(if $(MAP),--map "$(MAP)") \
		$(if $(TASK),--task "$(TASK)")

tickets-export: tools ## a stack's table as a file: STACK=, OUT=, STATUS=, TASK=
	@$(BIN)/python -m tools.desk.export --stack "$(STACK)" --out "$(OUT)" \
		$(if $(STATUS),--status "$(STATUS)") $(if $(TASK),--task "$(TASK)")

tickets-again: tools ## ask answered ones again: STACK=, OLDER=1, WHERE=, LIMIT=
	@$(BIN)/python -m tools.desk.again --stack "$(STACK)" \
		$(if $(TASK),--task "$(TASK)") $(if $(OLDER),--older) $(if $(WHERE),--where "$(WHERE)") \
		$(if $(LIMIT),--limit "$(LIMIT)") $(if $(YES),--yes)

review: tools ## decide what Claude left to people: STACK=name, OPEN=0
	@$(BIN)/python -m tools.operate.review --stack "$(STACK)" \
		$(if $(TASK),--task "$(TASK)") $(if $(filter 0,$(OPEN)),--no-open)

quality: tools ## what people corrected: STACK=name, OUT=page.html
	@$(BIN)/python -m tools.operate.quality --stack "$(STACK)" \
		$(if $(TASK),--task "$(TASK)") $(if $(OUT),--out "$(OUT)")

corrections: tools ## the same as [[examples]] for the task: STACK=, N=20
	@$(BIN)/python -m tools.operate.corrections --stack "$(STACK)" \
		$(if $(TASK),--task "$(TASK)") $(if $(N),-n "$(N)")

test: lint ## all that proves it: style, types, units, a deployed stack
	COVERAGE_CORE=sysmon $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder \
		--cov=layers/nightshift/nightshift --cov=tools --cov-report=term --durations=5

crash-proof: install ## die at every call: is anybody paid twice?
	@$(BIN)/python -m tests.crash_proof $(ARGS)

bench: install ## against the plain way: time, memory, calls, the bill
	@$(BIN)/python -m tests.bench $(ARGS)

# Two at a time: none needs what another one says.
lint: install ## style, types, template, workflow, security
	@$(MAKE) --no-print-directory -j 2 lint-security lint-types lint-style lint-template

lint-style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=layers/nightshift $(BIN)/lint-imports --no-logo --no-cache

lint-types:
	$(BIN)/mypy layers/nightshift/nightshift tools

SAM_VALIDATE := SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint
lint-template:
	$(SAM_VALIDATE)
	$(SAM_VALIDATE) -t docs/zendesk/template.yaml

lint-security: $(CHECKOV)
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

requirements: install ## pin again: layers/dependencies/*.in, pyproject.toml
	$(COMPILE) layers/dependencies/requirements.in --group pyproject.toml:tools -o requirements-tools.txt
	# The layer, the tests and the bench take the very versions of the tools.
	$(COMPILE) layers/dependencies/requirements.in --constraint requirements-tools.txt \
		-o layers/dependencies/requirements.txt
	$(COMPILE) --group pyproject.toml:dev --constraint requirements-tools.txt \
		$$(sed -nE 's/^([A-Za-z0-9._-]+).*==.*/--no-emit-package \1/p' requirements-tools.txt) \
		-o requirements-dev.txt
	$(COMPILE) --group pyproject.toml:checkov -o requirements-checkov.txt

clean: ## forget everything that was built
	rm -rf .venv .aws-sam $(BUILD) .pytest_cache .mypy_cache .ruff_cache
