# make demo       check all shipped specs, then race eight optimizers on handwritten digits
# make test       lint, types and the quick tests
# make test-slow  the tests that take longer
# make test-cuda  the tests of the CUDA target, with the toolkit that compiles for it; no card is needed
# make bench      measure speed beside peers that are installed; writes build/benchmarks.{json,md,png}
# make clean      remove what the targets above made

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -qq --constraint .ci/constraints.txt
# pytest runs two processes; each then keeps its numerical libraries to one thread where it may.
WORKERS ?= 2
# Without what Python keeps of modules, each command that a test starts would compile them anew.
unexport PYTHONDONTWRITEBYTECODE
# A process that has done its tests takes over some of the other's. Neighbours stay together as long
# as that goes, since they need the same modules and kernels.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
# Where the measurements are written: names that end in .json, .md and .png.
OUT ?= build/benchmarks

.PHONY: demo test test-slow test-cuda bench lint types clean

demo: .venv/.demo
	$(BIN)/python examples/digits.py

# What tests compile and prove stays apart from what the user keeps.
test test-slow test-cuda: export OPTDSL_CACHE_DIR ?= $(CURDIR)/build/cache

test: lint types
	$(PYTEST) -m "not slow"

test-slow: .venv/.test
	$(PYTEST) -m slow

test-cuda: .venv/.test
	$(PIP) --editable '.[demo,test,cuda]'
	$(PYTEST) tests/cuda tests/codegen/cuda tests/codegen/toolkit \
		tests/commands/test_compile_cuda.py

bench: .venv/.test
	$(BIN)/python -m benchmarks --out $(OUT)

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Type checkers do not follow the folders that are mapped into the package (codegen/ and specs/),
# so they see a folder of links laid out as the installed package is.
types: .venv/.test
	rm -rf build/types
	mkdir -p build/types/optdsl
	cd build/types/optdsl && ln -s ../../../optdsl/* ../../../codegen ../../../specs .
	cd build/types && ln -s ../../cli.py ../../benchmarks $(patsubst %,../../%,$(wildcard examples/*.py)) .
	cd build/types && ../../$(BIN)/mypy --config-file ../../pyproject.toml \
		--cache-dir ../../.mypy_cache -p optdsl -p benchmarks -m cli -m digits -m around_training

# Some systems ship Python without the part that puts pip into a new environment.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "optdsl needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv || { $(PYTHON) -m venv --clear --without-pip .venv && \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }

# A stamp is newer than what it depends on, so that nothing is installed twice.
.venv/.demo: pyproject.toml .ci/constraints.txt | $(BIN)/python
	@echo "Installing optdsl and what the demo needs into .venv ..."
	$(PIP) --editable '.[demo]'
	@touch $@

.venv/.test: pyproject.toml .ci/constraints.txt | $(BIN)/python
	@echo "Installing optdsl and what its tests need into .venv ..."
	$(PIP) --editable '.[demo,test]'
	@touch $@ .venv/.demo

clean:
	rm -rf .venv build dist *.egg-info demo.png .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
