# make run makes every table and figure; make test checks everything. Nothing else has to be installed first
# than Python 3.11 (or newer) with its venv module. Variables: CONFIG, CORES, TARGETS, FILE, UPGRADE, PYTHON.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
CONFIG ?=
CORES ?=
TARGETS ?=
FILE ?=
UPGRADE ?=

BIN := .venv/bin
STAMP := .venv/.installed
UNFINISHED := .venv/.unfinished

# Packages of another environment must not leak into this one.
unexport PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE := 1

.DEFAULT_GOAL := help
.PHONY: help setup quick run audit trace report bundle docs test test-fast test-long test-slurm lint lock clean-results

help: ## List these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## Create .venv with the exact versions of requirements.lock

# The first line of the recipe notices a set-up that was interrupted, and starts over.
$(STAMP): requirements.lock
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Set-up: expected Python 3.11 or newer, got '$(PYTHON)'. Hint: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	"$(PYTHON)" -m venv $(if $(wildcard $(UNFINISHED)),--clear) .venv
	@touch $(UNFINISHED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(UNFINISHED)
	@touch $(STAMP)

# Behind the targets: --configfile takes whatever follows it. The shell reads the name, which may have blanks, itself.
export CONFIG FILE
OPTIONS = $(if $(CORES),--cores $(CORES)) $(if $(CONFIG),--configfile "$$CONFIG")

# Results of another configuration lie beside it, in a folder of its name: my/results of my.yaml.
FOLDER = $(if $(CONFIG),"$$($(BIN)/python -m inflationary_flows folder -- "$$CONFIG")",.)

# Snakemake reads the file too, and has no message for some that are no configuration.
CHECK = $(if $(CONFIG),$(BIN)/python -m inflationary_flows check -- "$$CONFIG")

# In a folder at the top, which is easier to find than configs/quick.
quick: $(STAMP) ## See it all in miniature, in two minutes: figures 2 to 4 of one toy, in quick/results [CORES=4]
	$(BIN)/snakemake report --directory quick $(if $(CORES),--cores $(CORES)) --configfile configs/quick.yaml
	@printf 'Open quick/results/report.html; its figures are in quick/results/figures.\n'

run: $(STAMP) ## Run the workflow [CONFIG=my.yaml CORES=4 TARGETS="metrics figures"]
	$(CHECK)
	$(BIN)/snakemake $(TARGETS) $(OPTIONS)

audit: $(STAMP) ## Check that every file is what its job wrote, from inputs that are still there [CONFIG=my.yaml]
	@$(BIN)/python -m inflationary_flows.audit $(FOLDER)/results

trace: $(STAMP) ## Follow a file back to data and seeds [FILE=results/figures/fig02.pdf CONFIG=my.yaml]
	$(if $(FILE),,$(error expected a file to trace. Hint: make trace FILE=results/figures/fig02.pdf))
	@folder=$(FOLDER)/; test -e "$$folder$$FILE" || folder=; $(BIN)/python -m inflationary_flows.audit trace -- "$$folder$$FILE"

report: $(STAMP) ## Write report.html beside the tables, everything in one file [CONFIG=my.yaml CORES=4]
	$(CHECK)
	$(BIN)/snakemake report $(OPTIONS)

bundle: $(STAMP) ## Write results, sources and their history as one archive [CONFIG=my.yaml]
	$(CHECK)
	$(BIN)/snakemake bundle $(OPTIONS)

docs: $(STAMP) ## Build the documentation as a site, in site/; tutorials are run, in two minutes [RUN_TUTORIALS=false]
	OMP_NUM_THREADS=1 NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Two processes; files stay whole, and in the order of conftest.py, which makes one smoke run for both.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 20

test: $(STAMP) ## Run the tests, the smoke workflow among them, in ten minutes
	$(PYTEST) -m "not long"

test-fast: $(STAMP) ## Run the tests that neither train nor run the workflow
	$(PYTEST) -m "not slow and not long"

test-long: $(STAMP) ## Run the tests that take long, each by itself
	$(PYTEST) -m long

test-slurm: $(STAMP) ## Run the workflow on an emulated cluster (Linux and root; installs SLURM by apt)
	$(BIN)/python -m pytest tests/slurm --numprocesses 3 --dist loadfile --no-loadscope-reorder -rsP --durations 0

lint: $(STAMP) ## Check style, types and workflow without running anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint
	$(BIN)/mypy

# The versions that the file has stay, and so do their hashes, whatever was released since. A file that was right is left
# alone: a newer one would have .venv set up again.
lock: $(STAMP) ## Write requirements.lock anew, with what pyproject.toml needs [UPGRADE="torch numpy"]
	@cp requirements.lock .venv/requirements.lock
	$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --generate-hashes --no-annotate \
		--python-version 3.11 --python-platform x86_64-manylinux_2_28 \
		--custom-compile-command "make lock" --output-file .venv/requirements.lock \
		$(addprefix --upgrade-package ,$(UPGRADE))
	@cmp -s .venv/requirements.lock requirements.lock || cp .venv/requirements.lock requirements.lock

clean-results: ## Delete all results, training progress included [CONFIG=my.yaml: those of this configuration alone]
	folder=$(FOLDER) && test ! -d "$$folder/results" || find "$$folder/results" -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	$(if $(CONFIG),,rm -rf quick)
