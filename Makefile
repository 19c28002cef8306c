PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Programs that tests and benches call. Installed on Debian as root; elsewhere the test or the bench says what is missing.
installed = for program in $(1); do command -v $$program >/dev/null || test $$(id -u) -ne 0 || \
  ! command -v apt-get >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends $$program; } || exit 1; done

.PHONY: help demo test unit tools lab test-faults test-leaks test-versions lint bench bench-services outage clean requests

help:  ## Show the targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/demo  ## Bring a practice NAS up and deploy both services on it.
	$(BIN)/loopdeploy lab demo

test: $(VENV)/test  ## Run linters, unit tests, the suites, and every verb on the practice NAS; see test-… for the rest.
	$(MAKE) --jobs 2 --output-sync=target unit lab
	$(BIN)/pytest --durations=20 tests/lab
	$(BIN)/pytest --durations=5 -m fast tests/faults
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/molecule test

# On a bare machine an engine is installed and base images are built meanwhile, which is waiting for the most part.
unit: lint tools
	$(BIN)/pytest --numprocesses 2 --dist loadfile --durations=10 tests/unit tests/services

lab: tools
	$(BIN)/loopdeploy lab up

# The protocol's own test suites come by npm, loop-auth's pages are looked at in Chromium, and scripts for the NAS are
# tried in busybox, too. Before the engine: one apt-get at a time.
tools: $(VENV)/test
	$(call installed,npm chromium busybox)

test-faults: $(VENV)/test  ## Kill, cut, fill and reboot at every step of a deployment; takes half an hour.
	$(BIN)/pytest tests/faults

test-leaks: $(VENV)/test  ## Search both machines for every secret, behind every verb; takes some 25 minutes.
	$(BIN)/pytest tests/leaks

test-versions: $(VENV)/test  ## Deploy with the oldest and the newest Ansible, on a NAS with Python 3.8 too.
	$(BIN)/pytest tests/versions

lint: $(VENV)/test  ## Run the linters, nothing skipped.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint

bench: $(VENV)/test  ## Measure the command against the one-liners that it replaces.
	$(call installed,sshpass)
	$(BIN)/loopdeploy lab demo
	$(BIN)/python -m bench.latency

bench-services: $(VENV)/test  ## Measure what both containers answer in, and their memory, with 5,000 notes.
	$(BIN)/loopdeploy lab demo
	$(BIN)/python -m bench.services_lab $(if $(CALLS),--calls $(CALLS))

outage: $(VENV)/test  ## Measure how long loop-api is away while it is replaced, and draw it; takes half an hour.
	$(call installed,sshpass)
	$(BIN)/loopdeploy lab demo
	$(PIP) --editable '.[bench]'
	$(BIN)/python -m bench.outage

clean: $(VENV)/demo  ## Remove the practice NAS and the virtual environment.
	$(BIN)/loopdeploy lab down
	rm -rf $(VENV)

# Debian's Python comes without venv; as root it is installed.
$(VENV)/demo: pyproject.toml constraints.txt
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || { apt-get update -q && apt-get install -y -q python3-venv; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/test: $(VENV)/demo
	$(PIP) --editable '.[test]'
	touch $@

# The newest releases that run on Python 3.8, the oldest on a NAS, as one archive of pure Python.
requests: $(VENV)/demo  ## Make anew the archive with Python's requests that a bare NAS gets.
	rm -rf build/requests && mkdir -p build/requests
	$(BIN)/pip download --quiet --dest build/wheels --only-binary :all: --python-version 3.8 --implementation py --abi none \
	  --platform any --requirement roles/loop_service/files/requests.txt
	for wheel in build/wheels/*.whl; do $(BIN)/python -m zipfile -e "$$wheel" build/requests; done
	cd build/requests && $(CURDIR)/$(BIN)/python -m zipfile -c ../requests.zip *
	mv build/requests.zip roles/loop_service/files/requests.zip
