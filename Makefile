# One command for each thing. Needs python3 (3.10 or later) and nothing else; all the rest is set up by `setup`.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --no-annotate
SETS := models retries schemas github
# One more than there are processors: the tests wait for the engine a third of their time.
PROCESSES ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
PATHS := action benchmarks engine examples fuzz release soak tests docs/hooks.py
ACTIONS := action.yml bake/action.yml bake/subaction/matrix/action.yml merge/action.yml promote/action.yml validate/action.yml
WORKFLOWS := $(wildcard .github/workflows/*.yml examples/*.yml examples/act/.github/workflows/*.yml tests/workflows/*.yml)

COMMANDS := help setup test engines docs lint lint-style lint-javascript lint-types lint-layers lint-security lint-workflows lint-schemas format schemas demo dist pictures bench instructions fuzz soak lock clean
# make would take the name of a folder, such as `tests`, for a file that is up to date, and say that all is well.
FOLDERS := $(filter-out $(COMMANDS),$(patsubst %/,%,$(wildcard */)))
.PHONY: $(COMMANDS) $(FOLDERS)

help: ## List the commands.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/ready ## Make the environment .venv from the locks.

$(VENV)/ready: requirements/dev.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or later is needed; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is needed: apt-get install python3-venv"; exit 1; }
	@echo "Setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement requirements/uv.txt || \
	  { echo "The packages are needed once, from a Python package index: check the network, or set PIP_INDEX_URL"; exit 1; }
	@VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet --require-hashes --requirement requirements/dev.txt
	@VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

test: setup ## Run lint and all tests, on a real engine and registry.
	@$(MAKE) --no-print-directory --jobs=2 lint
	@$(RUN) -m engine run -- $(RUN) -m pytest --numprocesses $(PROCESSES) $(ARGS)

engines: setup ## Run the action on many engines, old and new, and write docs/engines.md.
	@$(RUN) -m pytest tests/matrix $(ARGS)

lint: lint-style lint-javascript lint-types lint-layers lint-security lint-workflows lint-schemas ## Check style, JavaScript, types, layers, security, workflows and schemas.

# One target for each hook of .pre-commit-config.yaml.
lint-style: setup
	@$(VENV)/bin/ruff check $(PATHS)
	@$(VENV)/bin/ruff format --check $(PATHS)

lint-javascript: setup
	@found=$$($(VENV)/bin/oxlint --deny-warnings --report-unused-disable-directives launcher tests/mermaid/server.mjs tests/ajv/validate.mjs) || \
	  { echo "$$found"; exit 1; }

lint-types: setup
	@$(VENV)/bin/mypy

# It prints a page for a package without a fault: only the page that names one is shown.
lint-layers: setup
	@found=$$($(VENV)/bin/lint-imports --no-cache --no-logo) || { echo "$$found"; exit 1; }

lint-security: setup
	@$(VENV)/bin/bandit --quiet --configfile pyproject.toml --recursive action

lint-workflows: setup
	@$(VENV)/bin/actionlint $(WORKFLOWS)
	@$(VENV)/bin/zizmor --quiet --offline --persona auditor --config .github/zizmor.yml $(ACTIONS) $(WORKFLOWS) .github/dependabot.yml
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-actions $(ACTIONS)
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows $(WORKFLOWS)
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))

lint-schemas: setup
	@$(VENV)/bin/check-jsonschema --quiet --check-metaschema schemas/*.json

format: setup ## Format the code.
	@$(VENV)/bin/ruff check --fix-only $(PATHS)
	@$(VENV)/bin/ruff format $(PATHS)

schemas: setup ## Generate the JSON Schemas of this project's documents from their models.
	@$(RUN) -m action.documents.results_schema schemas

docs: $(VENV)/docs ## Build the documentation site in .cache/site; a broken link is an error.
	@NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --quiet --strict
	@echo "The site is in .cache/site: open .cache/site/index.html"

$(VENV)/docs: $(VENV)/ready requirements/docs.txt
	@VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet --require-hashes --requirement requirements/docs.txt
	@touch $@

demo: ## Build one image into a registry, an OCI tar and a docker tar, and print the digest of each.
	@$(PYTHON) examples/demo.py

pictures: setup ## Draw the pictures of the README from what the demo prints.
	@$(RUN) -m engine run -- $(RUN) examples/pictures.py
	@$(RUN) -m engine run -- $(RUN) examples/summary_picture.py

dist: setup ## Build the files of a release into dist/: packages, the archive of the action, a bill of materials.
	@$(RUN) -m release files --folder dist

bench: setup ## Measure the time that the action adds to a bare build; with PEER=DIR also docker/build-push-action.
	@$(RUN) -m engine run -- $(RUN) -m benchmarks $(if $(PEER),--peer "$(PEER)") $(ARGS)

instructions: setup ## Count the instructions before buildx starts; with BASE=REF fail if that commit needs fewer.
	@$(RUN) -m benchmarks.instructions $(if $(BASE),--base "$(BASE)")

fuzz: $(VENV)/fuzz ## Fuzz the readers of bytes from outside, ten minutes each: SECONDS=60 READERS='tar record'.
	@$(RUN) -m fuzz --seconds $(or $(SECONDS),600) $(READERS)

$(VENV)/fuzz: $(VENV)/ready requirements/fuzz.txt
	@$(RUN) -c 'import platform, sys; sys.exit(not ((3, 11) <= sys.version_info < (3, 15) and platform.system() == "Linux" and platform.machine() == "x86_64"))' || \
	  { echo "atheris has wheels for Linux on x86-64 and Python 3.11 to 3.14 alone; name one with: make PYTHON=python3.12"; exit 1; }
	@VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet --require-hashes --requirement requirements/fuzz.txt
	@touch $@

soak: setup ## Run random builds on a real engine, and check each digest: ENGINE=containerd SEED=1 COUNT=300.
	@$(RUN) -m soak --engine $(or $(ENGINE),containerd) $(if $(SEED),--seed "$(SEED)") --count $(or $(COUNT),300) $(ONLY:%=--only %)

lock: setup ## Compile the locks again.
	@$(COMPILE) --upgrade --override requirements/overrides.txt requirements/models.in --output-file requirements/models.txt
	@for set in $(filter-out models,$(SETS)); do \
	  $(COMPILE) --upgrade requirements/$$set.in --output-file requirements/$$set.txt || exit 1; \
	done
	@$(COMPILE) --upgrade requirements/uv.in --output-file requirements/uv.txt
	@$(COMPILE) --upgrade $(SETS:%=--constraint requirements/%.txt) --constraint requirements/uv.txt pyproject.toml --extra github --group tests --group lint --group packaging --output-file requirements/dev.txt
	@$(COMPILE) --constraint requirements/dev.txt requirements/terminal.in --output-file requirements/terminal.txt
	@$(COMPILE) --upgrade --constraint requirements/dev.txt --group docs --output-file requirements/docs.txt
	@$(COMPILE) --upgrade --group fuzz --output-file requirements/fuzz.txt

clean: ## Remove the environment and the downloads.
	rm -rf $(VENV) .cache dist

$(FOLDERS):
	@echo "$@ is a folder and no command: make help lists the commands (make test runs the tests)" >&2; exit 2
