# Everything goes through `setup`, so that each target works in a fresh clone. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup browser demo test slow faults lint format wheel clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) browser ## Make .venv with the tested versions, and see to a browser

$(READY): pyproject.toml constraints.txt
	@start=$$(date +%s); set -e; \
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	export PIP_DISABLE_PIP_VERSION_CHECK=1; \
	torch=$$(grep '^torch==' constraints.txt); \
	$(BIN)/python -m pip install --quiet "$$torch"; \
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'; \
	touch $(READY); \
	echo "setup: $$(( $$(date +%s) - start )) s for the Python packages"

# An existing Chrome or Chromium with its driver; else Debian's, where apt and root are there; else Selenium Manager
# fetches one when the first browser starts.
browser:
	@if { command -v google-chrome || command -v chromium || command -v chromium-browser; } >/dev/null 2>&1 \
	    && command -v chromedriver >/dev/null 2>&1; then :; \
	elif command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
	    start=$$(date +%s); \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium chromium-driver >/dev/null; \
	    echo "setup: $$(( $$(date +%s) - start )) s for Chromium and its driver"; \
	else echo "setup: no Chrome with chromedriver on PATH; Selenium Manager will try to fetch them (see: birds doctor)"; fi

demo: setup ## Run the main job on the embedded gallery: scrape to evaluated model, in birds-demo/
	@start=$$(date +%s); $(BIN)/birds demo birds-demo && echo "demo: $$(( $$(date +%s) - start )) s"

test: setup ## Run the tests, three at a time: many wait for a browser
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder

slow: setup ## Run the tests that are left out of `make test`
	$(BIN)/python -m pytest -q -m slow

faults: setup ## Kill a scrape thirty times and a training ten times at random moments and say what came of it
	BIRDS_KILLS=30 $(BIN)/python -m pytest -q -s tests/scrape/test_kills.py
	BIRDS_KILLS=10 $(BIN)/python -m pytest -q -s tests/train/test_kills.py

lint: setup ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@mkdir -p build/typing && ln -sfn ../.. build/typing/birds
	MYPYPATH=build/typing $(BIN)/mypy -p birds

format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: setup ## Build the wheel into dist/
	$(BIN)/python -m build --wheel

clean: ## Remove what the targets made, the demo included
	rm -rf $(VENV) build dist *.egg-info birds-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
