# Bourg: `make run` opens the observatory, `make test` proves it. Both do all the set-up.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: help install run test lint audit format bench docs clean

help:
	@echo "make install  prépare .venv"
	@echo "make run      ouvre l'observatoire sur http://localhost:8501"
	@echo "make test     passe les tests"
	@echo "make lint     vérifie le style, les types et la documentation"
	@echo "make audit    demande au réseau les failles connues des dépendances"
	@echo "make bench    mesure la vitesse face aux outils voisins"

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "L'environnement Python n'a pas pu être créé. Sur Debian ou Ubuntu : sudo apt-get install python3-venv" >&2; exit 1; }

$(STAMP): requirements.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(DEV_STAMP): $(STAMP) requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

install: $(STAMP)
	$(BIN)/bourg assets

run: install
	$(BIN)/bourg serve

test: $(DEV_STAMP)
	$(BIN)/bourg assets
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/audit.py

# In an environment of its own: the auditor and what it needs are no dependency of ours.
audit: $(DEV_STAMP)
	$(BIN)/python tools/audit.py
	@$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(VENV)/audit/bin/pip-audit --requirement requirements.txt --no-deps --disable-pip
	cd src/bourg/web && ../../../$(BIN)/npm audit --omit=dev

format: $(DEV_STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV_STAMP)
	$(BIN)/bourg assets
	$(BIN)/python benchmarks/run_all.py

docs: $(DEV_STAMP)
	$(BIN)/bourg docs

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
