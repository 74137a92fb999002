# The project's commands; `make help` lists them.

# Another Python, Django or Celery gets a virtual environment of its own, beside .venv.
PYTHON ?=
DJANGO ?= $(PINNED)
CELERY ?= $(PINNED_CELERY)
PYTEST_ARGS ?=
DEMO_ARGS ?=
MINUTES ?= 10
SEED ?=
SAMPLE ?=
ONLY ?=
MUTANTS_ARGS ?=
CHAOS_ARGS ?=
ATTACK_ARGS ?=
BENCH_ARGS ?=
DEPLOY_ARGS ?=
DOCS_PORT ?= 8010
NOT_RUN ?=

PINNED := >=5.2,<5.3
PINNED_CELERY := >=5.7,<5.8
other = $(if $(filter-out $(2),$(3)),-$(1)$(3))
label := $(if $(PYTHON),-$(notdir $(PYTHON)))$(call other,django,$(PINNED),$(DJANGO))$(call other,celery,$(PINNED_CELERY),$(CELERY))
VENV := .venv$(shell printf %s '$(label)' | tr -cs 'A-Za-z0-9.' -)
BIN := $(VENV)/bin

# The benchmarks' peers have an environment of their own, so that nothing else sees their packages.
BENCH_VENV := $(patsubst .venv%,.venv-bench%,$(VENV))

# What builds the wheel, alone.
WHEEL_VENV := $(patsubst .venv%,.venv-wheel%,$(VENV))

# All pages each time: a second build would be silent about a page that has not changed.
DOCS := docs -d docs/_build/doctrees docs/_build/html
BUILD_DOCS = $(BIN)/sphinx-build --fresh-env --fail-on-warning --keep-going --nitpicky --quiet $(DOCS)

# What locks the packages and asks about them, alone.
TOOLS_VENV := .venv-tools

# Checks use no data. The project's own database may not exist, or be in use.
ALONE := DJANGO_SETTINGS_MODULE=tests.settings VAR_DIR=$(VENV) DATABASE_URL=sqlite://:memory:

# Everybody on this machine can read a command line. The environment is its owner's.
SECRETS := DATABASE_PASSWORD DATABASE_URL EMAIL_HOST_PASSWORD FLOWER_BASIC_AUTH RABBITMQ_PASSWORD RABBITMQ_URL REDIS_PASSWORD REDIS_URL SECRET_KEY
$(foreach name,$(SECRETS),$(if $(findstring command line,$(origin $(name))),$(error \
    $(name) is on the command line of make, where every user of this machine can read it. \
    Put it before make: $(name)=... make $(MAKECMDGOALS))))

define set_up
@python=$$(sh requirements/find-python '$(PYTHON)') && $(or $(3),"$$python" requirements/lock.py --check) && \
    "$$python" requirements/install.py --venv $(or $(2),$(VENV)) --level $(1) \
    --django '$(DJANGO)' --celery '$(CELERY)'
endef

.DEFAULT_GOAL := help
.PHONY: help run demo chaos attack bench bench-quick test check docs docs-serve fmt wheel mutants test-all test-rabbitmq test-browser test-containers lock outdated clean secrets deploy

help:
	@echo 'make run     set everything up and run the system here; Ctrl-C stops it, var/ keeps the data'
	@echo 'make demo    drive the whole system on throw-away data and show what happened'
	@echo '             (DEMO_ARGS="--followers 50 --database postgres" for more of them, elsewhere)'
	@echo 'make chaos   users at work while parts are killed and frozen: anything lost, doubled or stuck?'
	@echo '             (MINUTES=10 SEED=1 CHAOS_ARGS="--database sqlite")'
	@echo 'make attack  attack a copy of the site on throw-away data: what was tried, what held?'
	@echo '             (ATTACK_ARGS="--only csrf sessions")'
	@echo 'make bench   how fast it is, beside its peers: a table, plots and the marks (15 minutes)'
	@echo '             (BENCH_ARGS="--only request,drain --out DIR" for some of it, elsewhere)'
	@echo 'make bench-quick  the same with fewer samples (3 minutes)'
	@echo 'make test    the tests on PostgreSQL; on SQLite and, where it is installed, MariaDB what differs'
	@echo '             (PYTEST_ARGS="-k name" for some of them)'
	@echo 'make test-all  every test on every database'
	@echo 'make test-rabbitmq  the tests of RabbitMQ, from Debian packages where the machine lacks it'
	@echo 'make test-browser  the story of a new person in a browser, from Debian packages where the machine lacks one'
	@echo 'make test-containers  build the image and run docker-compose.yml, with kills: on the engine of this'
	@echo '             machine, or as root on one from Debian packages (10 minutes; status 77 where it cannot be run, or 0'
	@echo '             with NOT_RUN=FILE, which then has the line that says why)'
	@echo 'make mutants  break the code in random places, and see which of them no unit test notices'
	@echo '             (SAMPLE=40 SEED=1 ONLY=aftercommit/worker)'
	@echo 'make check   lint, format, types, import directions, migrations, docs, Compose file, Dockerfile,'
	@echo '             workflow'
	@echo 'make docs    build the documentation, without a warning, in docs/_build/html'
	@echo 'make docs-serve  the same at http://127.0.0.1:8010/, and again after each change (DOCS_PORT=8010)'
	@echo 'make fmt     format the code'
	@echo 'make wheel   build the library, as a wheel and as an sdist, in dist/'
	@echo 'make lock    write requirements/locked/ again, with the hashes of all files, after a pin has changed'
	@echo 'make outdated  which packages have a newer version, and which are known to be vulnerable'
	@echo 'make deploy  bring a new version of the containers in without a pause (DEPLOY_ARGS="--within 300")'
	@echo 'make clean   remove what was built; keeps var/'
	@echo
	@echo 'PYTHON=PATH  with another Python (3.11 or newer); DJANGO and CELERY with another of those:'
	@echo "             make test PYTHON=python3.13 DJANGO='==6.1.*' CELERY='==5.6.*'"

run:
	$(call set_up,stack)
	@exec $(BIN)/python -m core.stack

demo:
	$(call set_up,dev)
	@exec $(BIN)/python -m tests.tools.demo $(DEMO_ARGS)

chaos:
	$(call set_up,dev)
	@exec $(BIN)/python -m tests.tools.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(CHAOS_ARGS)

attack:
	$(call set_up,dev)
	@exec $(BIN)/python -m tests.tools.attack $(ATTACK_ARGS)

bench:
	$(call set_up,bench,$(BENCH_VENV))
	@exec $(BENCH_VENV)/bin/python -m benchmarks $(BENCH_ARGS)

bench-quick:
	$(call set_up,bench,$(BENCH_VENV))
	@exec $(BENCH_VENV)/bin/python -m benchmarks --quick $(BENCH_ARGS)

test:
	$(call set_up,dev)
	@exec $(BIN)/python -m tests $(PYTEST_ARGS)

test-all:
	$(call set_up,dev)
	@exec $(BIN)/python -m tests --all $(PYTEST_ARGS)

test-rabbitmq:
	$(call set_up,dev)
	@FETCH_RABBITMQ=1 exec $(BIN)/python -m tests --all tests/integration/recipes/test_rabbitmq.py $(PYTEST_ARGS)

test-browser:
	$(call set_up,dev)
	@exec $(BIN)/python -m tests --all tests/browser $(PYTEST_ARGS)

test-containers:
	$(call set_up,dev)
	@exec $(BIN)/python -m tests.containers $(if $(NOT_RUN),--not-run '$(NOT_RUN)')

mutants:
	$(call set_up,dev)
	@exec $(BIN)/python -m tests.tools.mutants $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) \
	    $(if $(ONLY),--only $(ONLY)) $(MUTANTS_ARGS)

check:
	$(call set_up,dev)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(ALONE) $(BIN)/python manage.py check --fail-level WARNING
	$(ALONE) $(BIN)/python manage.py makemigrations --check --dry-run
	"$$($(BIN)/python -c 'import compose; print(*compose.__path__)')/docker-compose" -f docker-compose.yml config --quiet
	"$$($(BIN)/python -c 'import compose; print(*compose.__path__)')/docker-compose" -f docker-compose.yml \
	    -f docker-compose.rabbitmq.yml --profile '*' config --quiet
	$(BIN)/hadolint Dockerfile
	$(BIN)/actionlint .github/workflows/*.yml
	$(BIN)/pre-commit validate-config
	$(BUILD_DOCS)

docs:
	$(call set_up,docs)
	@$(BUILD_DOCS)
	@echo 'Open docs/_build/html/index.html.'

docs-serve:
	$(call set_up,docs)
	@exec $(BIN)/sphinx-autobuild --host 127.0.0.1 --port $(DOCS_PORT) --watch aftercommit $(DOCS)

# Passwords for docker-compose.yml, made up once, in a folder that only its owner can enter.
secrets:
	@python=$$(sh requirements/find-python '$(PYTHON)') && "$$python" -m core.stack.compose_secrets .secrets
	@echo 'The passwords for docker-compose.yml are in .secrets/.'

# A new version takes over from the containers that run. It needs Docker and Python alone.
deploy:
	@python=$$(sh requirements/find-python '$(PYTHON)') && exec "$$python" -m core.deploy $(DEPLOY_ARGS)

fmt:
	$(call set_up,dev)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

wheel:
	$(call set_up,wheel,$(WHEEL_VENV))
	@rm -rf dist
	@$(WHEEL_VENV)/bin/python -m build --no-isolation

# An old lock installs what makes the new one, so it is not compared with the pins.
lock:
	$(call set_up,tools,$(TOOLS_VENV),true)
	@exec $(TOOLS_VENV)/bin/python requirements/lock.py

outdated:
	$(call set_up,dev)
	$(call set_up,tools,$(TOOLS_VENV))
	@exec $(TOOLS_VENV)/bin/python requirements/outdated.py --python $(BIN)/python

clean:
	rm -rf .venv* dist docs/_build staticfiles .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
