# The project's commands; `make help` lists them.

# Another Python or another Django gets a virtual environment of its own, beside .venv.
PYTHON ?=
DJANGO ?= $(PINNED)
PYTEST_ARGS ?=
DEMO_ARGS ?=
MINUTES ?= 10
SEED ?=
CHAOS_ARGS ?=

PINNED := >=5.2,<5.3
label := $(if $(PYTHON),-$(notdir $(PYTHON)))$(if $(filter-out $(PINNED),$(DJANGO)),-django$(DJANGO))
VENV := .venv$(shell printf %s '$(label)' | tr -cs 'A-Za-z0-9.' -)
BIN := $(VENV)/bin

# A check reads no one's data: the project's own database may not exist, or be in use.
ALONE := VAR_DIR=$(VENV) DATABASE_URL=sqlite://:memory:

define set_up
@python=$$(sh requirements/find-python '$(PYTHON)') && \
    "$$python" requirements/install.py --venv $(VENV) --level $(1) --django '$(DJANGO)'
endef

.DEFAULT_GOAL := help
.PHONY: help run demo chaos test check fmt clean

help:
	@echo 'make run     set everything up and run the system here; Ctrl-C stops it, var/ keeps the data'
	@echo 'make demo    drive the whole system on throw-away data and show what happened'
	@echo '             (DEMO_ARGS="--followers 50 --database postgres" for more of them, elsewhere)'
	@echo 'make chaos   users at work while parts of the system are killed: is anything lost or doubled?'
	@echo '             (MINUTES=10 SEED=1 CHAOS_ARGS="--database sqlite")'
	@echo 'make test    the tests, on SQLite and on PostgreSQL (PYTEST_ARGS="-k name" for some of them)'
	@echo 'make check   lint, format, types, import directions, migrations, compose file, Dockerfile'
	@echo 'make fmt     format the code'
	@echo 'make clean   remove what was built; keeps var/'
	@echo
	@echo "PYTHON=PATH  with another Python (3.11 or newer), DJANGO='>=6.1,<6.2' with another Django:"
	@echo "             make test PYTHON=python3.13 DJANGO='>=6.1,<6.2'"

run:
	$(call set_up,stack)
	@exec $(BIN)/python -m core.stack

demo:
	$(call set_up,dev)
	@exec $(BIN)/python -m tests.demo $(DEMO_ARGS)

chaos:
	$(call set_up,dev)
	@exec $(BIN)/python -m tests.reliability.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(CHAOS_ARGS)

test:
	$(call set_up,dev)
	@failed=; for database in sqlite postgres; do \
	    echo "== Tests on $$database"; \
	    $(BIN)/python -m pytest --database=$$database $(PYTEST_ARGS) || failed="$$failed $$database"; \
	done; \
	if [ -n "$$failed" ]; then echo "Tests failed on:$$failed" >&2; exit 1; fi

check:
	$(call set_up,dev)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(ALONE) $(BIN)/python manage.py check --fail-level WARNING
	$(ALONE) $(BIN)/python manage.py makemigrations --check --dry-run
	"$$($(BIN)/python -c 'import compose; print(*compose.__path__)')/docker-compose" -f docker-compose.yml config --quiet
	$(BIN)/hadolint Dockerfile

fmt:
	$(call set_up,dev)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv* staticfiles .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
