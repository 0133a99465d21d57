# Two commands set everything up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint clean

demo: .venv/installed
	$(BIN)/python scripts/dissect.py --method both --model mini_scenes --out results/demo/mini_scenes
	$(BIN)/python scripts/dissect.py --method both --model mini_objects --out results/demo/mini_objects
	$(BIN)/python scripts/dissect.py --method iou --model mini_random --out results/demo/mini_random
	$(BIN)/python scripts/compare.py results/demo/mini_scenes results/demo/mini_objects \
		results/demo/mini_random --probe mini --out results/demo/compare

test: .venv/installed
	$(BIN)/python -m pytest

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[test,lint]'
	touch $@

clean:
	rm -rf .venv results build *.egg-info
