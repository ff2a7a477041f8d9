# Every target sets up what it needs; only Python 3.11+, pip and make must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2 # tests at once; each takes about 2 GiB
STAMP := $(VENV)/.opportune-setup

# Neither BentoML nor MLflow phones home from anything that is started here.
export BENTOML_DO_NOT_TRACK := True
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help setup demo test check format lock serve clean

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Make .venv with the exact versions of requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed, this is %s" % sys.version.split()[0]'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(STAMP)

demo: setup ## The whole loop on real and simulated data; ends with a report and a decision
	$(BIN)/opportune demo

test: check ## What CI runs

check: setup ## Format, lint, types, architecture, tests, notebooks, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(JOBS) --dist loadfile

format: setup ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Resolve requirements.lock again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate \
	  --no-header --extra spark --extra postgres --extra search --group dev --group demo --group bench pyproject.toml --output-file requirements.lock

serve: setup ## The service, from the state that `make demo` left
	OPPORTUNE_HOME=$${OPPORTUNE_HOME:-.opportune/demo/world} $(BIN)/opportune serve

clean: ## Remove the environment, caches and state
	rm -rf $(VENV) .opportune build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
