# The two commands of the README are `make demo` and `make test`; both set up .venv first.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.PHONY: setup demo demo-full demo-forecast bench test test-slow test-all wheel lint types format clean

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.11"; exit 2; }
	@echo "Installing into $(VENV): about 7 GB, 2-3 minutes on a fast line."
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pysteps || \
		echo "Without pysteps, which wants a C compiler and Python's headers: radar nowcasts and their tests are left out."
	@$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt eccodes || \
		echo "Without eccodes, which has no wheel for this machine: GRIB files and their tests are left out."
	@touch $@

demo: setup
	$(RUN) jobs/run_demo.py --out demo_run

# The three stages from nothing, trained until they are good at one office's drawings: 20 to 35 minutes on two cores.
demo-full: setup
	$(RUN) jobs/run_demo.py --full --out demo_full

# Station forecasts and radar nowcasts on small invented data. Nowcasts need pysteps, which wants a C compiler.
demo-forecast: setup
	$(RUN) jobs/run_forecast_demo.py --out demo_forecast

# Speed against other ways to do the same, into docs/benchmarks.md; flags for it: make bench BENCH="--quick"
bench: setup
	$(RUN) -m benchmarks.speed.run $(BENCH)

test: setup
	$(RUN) -m pytest -m "not slow"

# Kill and resume, two training workers, a submitted job, whole sweeps: what takes more than 20 s, but for what takes minutes.
test-slow: setup
	$(RUN) -m pytest -m "slow and not long"

test-all: setup
	$(RUN) -m pytest

wheel: setup
	$(RUN) -m pytest tests/test_wheel.py

# Style, and that imports go down: the contracts stand in pyproject.toml.
lint: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/lint-imports

types: setup
	$(RUN) -m mypy

format: setup
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

clean:
	rm -rf demo_run demo_full demo_forecast bench_run .pytest_cache .mypy_cache .ruff_cache
