# make study | report | test | test-all | storms | bench | lint | format | ui | docs | pictures: each makes the environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 5
# The studies that declare a search for two objectives.
SEARCHED := loss_weight

.PHONY: study report test test-slow test-all storms bench lint format ui docs pictures clean-environment

study: $(VENV)/ready
	$(BIN)/ablation run confirm_latent_size --seeds $(SEEDS)

# Every study with its own number of seeds, or with SEEDS where that is given. A failed cell is named on the page.
report: $(VENV)/ready
	-$(BIN)/ablation run $(sort $(basename $(notdir $(wildcard studies/*.py)))) $(if $(filter file,$(origin SEEDS)),,--seeds $(SEEDS))
	-$(BIN)/ablation run $(SEARCHED) --search
	$(BIN)/ablation report --to report

test: $(VENV)/ready
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "not slow and not simulation"

# Simulations, then storms of kills, clusters and fuzz one after another: these want the machine for themselves.
test-slow: $(VENV)/ready
	$(BIN)/python -m pytest --numprocesses 2 -m simulation
	$(BIN)/python -m pytest -m slow

test-all: test test-slow

# The same with all their rounds: an hour, before a release.
storms: $(VENV)/ready
	$(BIN)/python -m pytest -m slow --full

# About an hour on two cores: what was reached beside its target, also as bench.json.
bench: $(VENV)/ready
	$(BIN)/python benchmarks/all.py

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: $(VENV)/ready
	$(BIN)/ablation ui

# The pages as a site in site/index.html; a link that leads nowhere fails.
docs: $(VENV)/docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs site

# The pictures of the README, of its own study, and what the notebook shows: a minute or two. Needs pdflatex.
pictures: $(VENV)/docs
	$(BIN)/python docs/pictures.py

$(VENV)/docs: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	touch $@

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean-environment:
	rm -rf $(VENV)
