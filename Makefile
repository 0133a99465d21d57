# Two commands set everything up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

DEMO := results/demo

.PHONY: demo test fuzz test-floors lint docs dist gallery clean

demo: .venv/installed
	$(BIN)/python scripts/dissect.py --method both --model mini_scenes --out $(DEMO)/mini_scenes
	$(BIN)/python scripts/dissect.py --method both --model mini_objects --out $(DEMO)/mini_objects
	$(BIN)/python scripts/dissect.py --method iou --model mini_random --out $(DEMO)/mini_random
	$(BIN)/python scripts/compare.py $(DEMO)/mini_scenes $(DEMO)/mini_objects \
		$(DEMO)/mini_random --probe mini --out $(DEMO)/compare
	$(BIN)/python scripts/make_figures.py $(DEMO)/mini_scenes $(DEMO)/mini_objects \
		--formats png --out $(DEMO)/figures --report

# A worker for each core, and one thread a worker: more would only wait for each other.
WORKERS := --numprocesses auto --maxprocesses 8 --dist worksteal

test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(WORKERS)

# Damaged files for every reader, 20,000 each; an hour on two cores.
fuzz: .venv/installed
	FUZZ_EXAMPLES=20000 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/fuzz $(WORKERS)

# The lowest versions that setup.cfg admits, in an environment of their own.
test-floors: .venv-floors/installed
	OMP_NUM_THREADS=1 .venv-floors/bin/python -m pytest $(WORKERS)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/installed
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build

dist: .venv/installed
	rm -rf dist build
	$(BIN)/python -m build --outdir dist .

# The pictures of the README and the notebook of the examples, as they are committed.
SHOWN := concepts-iou depth only-iou agreement-mini_objects sheet-mini_scenes-layer4

gallery: demo
	$(BIN)/python scripts/make_figures.py $(DEMO)/mini_scenes $(DEMO)/mini_objects \
		--formats png --dpi 90 --sheets 5 --out results/gallery
	mkdir -p figures/gallery
	for name in $(SHOWN); do cp results/gallery/$$name.png figures/gallery/; done
	PYTHONWARNINGS=ignore $(BIN)/jupytext --to notebook --set-kernel python3 --run-path . --execute examples/report.py

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[test,lint,docs]'
	touch $@

.venv-floors/installed: setup.cfg pyproject.toml tests/floors.py
	$(PYTHON) -m venv .venv-floors
	$(PYTHON) tests/floors.py > .venv-floors/floors.txt
	.venv-floors/bin/pip install --quiet --requirement .venv-floors/floors.txt
	.venv-floors/bin/pip install --quiet --no-deps --editable .
	touch $@

clean:
	rm -rf .venv .venv-floors results build dist docs/_build *.egg-info
