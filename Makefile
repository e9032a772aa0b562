# `make run` and `make test` need Python 3.11+, git and make. They install everything else into .venv.

PYTHON ?= python3
PORT ?= 8000
HOST ?= 127.0.0.1
VENV := .venv
BIN := $(VENV)/bin
# For development. A deployment sets these variables itself (docs/configuration.md).
RUN_ENV = DEBUG=$${DEBUG:-on} HOST=$(HOST) PORT=$(PORT) $(if $(filter 127.% localhost ::1,$(HOST)),$(FOR_ONE_MACHINE))
# Without this the tour, the recipes and the demo use up an hour's sign-ups of this machine's one address.
FOR_ONE_MACHINE = LIMIT_SIGNUP_IP=$${LIMIT_SIGNUP_IP:-1000/1h} LIMIT_LOGIN_IP=$${LIMIT_LOGIN_IP:-1000/1m} \
	LIMIT_REST_ANON=$${LIMIT_REST_ANON:-10000/15m}
# Three workers on two cores, because tests wait for sockets and processes more than they compute. On MongoDB four,
# because they also wait for the stand-in.
PYTEST_ARGS ?= -n 3 --dist loadfile --no-loadscope-reorder
# Bytecode is written: otherwise hundreds of servers and commands would each compile the project again.
TEST_ENV = SECRET_KEY=tests-only-0123456789-0123456789-0123456789-0123456789 DEBUG=off PYTHONDONTWRITEBYTECODE=
ON_MONGODB = $(TEST_ENV) $(BIN)/python -m tests.kit.on_database mongodb $(PYTEST_ARGS) -n 4
ON_POSTGRESQL = $(TEST_ENV) $(BIN)/python -m tests.kit.on_database postgresql $(PYTEST_ARGS)

# The settings of a deployment that `manage.py check --deploy` accepts. They name no real host.
DEPLOY_ENV = SECRET_KEY=7PqkX2vLw9ZrT4mNc8YbH3sJf6DgA1eUxQoWiE5tRyBnMvCzKd0 DEBUG=off WORKERS=4 \
	ALLOWED_HOSTS=chat.example ALLOWED_ORIGINS=https://chat.example TRUSTED_PROXIES=1 \
	SECURE_SSL_REDIRECT=on SECURE_HSTS_SECONDS=31536000 \
	REDIS_URL=rediss://:pw-of-redis@redis.example:6379/0 \
	DATABASE_URL="mongodb://chat:pw-of-mongo@mongo.example:27017/chat?replicaSet=rs0"

.PHONY: install run superuser demo test torture model fuzz fuzz-api requirements-check bench crawl lint check docs lock test-databases differential django-tests bench-engine
.DEFAULT_GOAL := run

$(VENV)/run.stamp: requirements.txt
	@echo "Installing into $(VENV). This takes a minute or two without output."
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -e clients/python
	touch $@

$(VENV)/dev.stamp: requirements-dev.txt requirements.txt
	@echo "Installing into $(VENV). This takes some minutes without output."
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt -e clients/python
	touch $@ $(VENV)/run.stamp

# The servers that benchmarks compare with.
PEERS := benchmarks/peers/node/node_modules/.package-lock.json
$(PEERS): benchmarks/peers/node/package-lock.json
	-if command -v npm >/dev/null; then npm ci --prefix $(dir $<) --ignore-scripts --no-audit --no-fund --silent; fi

# Packages for tests of the JavaScript client, Socket.IO and the documents. Without npm those tests are skipped.
node_modules/.package-lock.json: package-lock.json
	if command -v npm >/dev/null; then npm ci --ignore-scripts --no-audit --no-fund --silent; fi

install: $(VENV)/run.stamp  ## install what the server needs into .venv

run: $(VENV)/run.stamp  ## migrate and serve on http://$(HOST):$(PORT)
	@$(RUN_ENV) $(BIN)/python manage.py migrate --verbosity 0
	@$(RUN_ENV) exec $(BIN)/python manage.py serve --host $(HOST) --port $(PORT)

superuser: $(VENV)/run.stamp  ## create an account for the admin
	@$(RUN_ENV) $(BIN)/python manage.py createsuperuser

demo: $(VENV)/run.stamp  ## two users talk through the server that `make run` started
	@$(RUN_ENV) $(BIN)/python manage.py demo

test: $(VENV)/dev.stamp node_modules/.package-lock.json $(PEERS)  ## all tests on SQLite, the engine's tests, the main flows on the other databases
	$(TEST_ENV) $(BIN)/python -m pytest $(PYTEST_ARGS) $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m pytest -c djongo_lts/tests/pytest.ini -n 2 --dist loadfile djongo_lts/tests)
	$(ON_MONGODB) -m smoke $(ARGS)
	$(ON_POSTGRESQL) -m smoke $(ARGS)

test-databases: $(VENV)/dev.stamp node_modules/.package-lock.json  ## the suite on MongoDB and on PostgreSQL; a part of it: make test-databases ARGS=messaging
	$(ON_MONGODB) -m "not once" $(ARGS)
	$(ON_POSTGRESQL) -m "not once" $(ARGS)

differential: $(VENV)/dev.stamp  ## random ORM queries on SQLite and MongoDB side by side: N=20000 SEED=1
	$(BIN)/python -m djongo_lts.tests.differential --queries $(or $(N),20000) --seed $(or $(SEED),1)

django-tests: $(VENV)/dev.stamp  ## Django's own tests on djongo_lts: make django-tests ARGS="basic lookup"
	$(BIN)/python -m djongo_lts.tests.django_suite $(ARGS)

bench-engine: $(VENV)/dev.stamp  ## client CPU of djongo_lts compared with raw pymongo
	$(BIN)/python -m djongo_lts.benchmarks.client_cpu

torture: $(VENV)/dev.stamp  ## kill servers, Redis and database under load: ROUNDS=20 SEED=1 DATABASE=mongodb PROCESSES=2
	$(TEST_ENV) $(BIN)/python -m tests.proofs.torture --rounds $(or $(ROUNDS),20) --seed $(or $(SEED),1) \
		--database $(or $(DATABASE),mongodb) --processes $(or $(PROCESSES),2)

model: $(VENV)/dev.stamp  ## compare random steps of three users with a reference: EXAMPLES=200 PROCESSES=1
	$(TEST_ENV) MODEL_EXAMPLES=$(or $(EXAMPLES),200) MODEL_PROCESSES=$(or $(PROCESSES),1) \
		$(BIN)/python -m pytest tests/proofs/test_model.py

fuzz: $(VENV)/dev.stamp  ## send a server frames that no client should send: FRAMES=100000 SEED=1
	$(TEST_ENV) $(BIN)/python -m tests.proofs.frame_fuzz --frames $(or $(FRAMES),100000) --seed $(or $(SEED),1)

fuzz-api: $(VENV)/dev.stamp  ## valid and invalid requests made from docs/openapi.yaml: EXAMPLES=100 SEED=1
	$(TEST_ENV) $(BIN)/python -m tests.proofs.api_fuzz --examples $(or $(EXAMPLES),100) --seed $(or $(SEED),1)

requirements-check: $(VENV)/dev.stamp  ## known vulnerabilities of the pinned requirements; without a network, their pins and ages
	$(BIN)/python -m tests.proofs.requirements_check

bench: $(VENV)/dev.stamp $(PEERS)  ## compare with Socket.IO and others (benchmarks/README.md): make bench ARGS="fanout --rounds 3"
	$(TEST_ENV) $(BIN)/python -m benchmarks $(ARGS)

crawl: $(VENV)/dev.stamp  ## fill an empty database (DATABASE_URL, or SQLite in DATA_DIR) and time the moderators' pages: MESSAGES=1000000
	$(TEST_ENV) $(BIN)/python manage.py migrate --verbosity 0
	$(TEST_ENV) $(BIN)/python -m moderation.tests.crawl --messages $(or $(MESSAGES),1000000)

lint: $(VENV)/dev.stamp  ## ruff, formatted and clean
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

check: lint  ## lint, types, import rules, Django's checks, drift of migrations and documents
	$(TEST_ENV) $(BIN)/mypy
	$(BIN)/lint-imports
	$(TEST_ENV) $(BIN)/python manage.py check --fail-level WARNING
	@# In a directory of its own: the modes of the developer's files are not those of a deployment.
	data=$$(mktemp -d) && trap "rm -r $$data" EXIT && DATA_DIR=$$data $(DEPLOY_ENV) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(TEST_ENV) $(BIN)/python manage.py makemigrations --check --dry-run
	$(TEST_ENV) $(BIN)/python manage.py write_docs --check

docs: $(VENV)/dev.stamp  ## write the documents in docs/ and the types in clients/js that come from the code
	$(TEST_ENV) $(BIN)/python manage.py write_docs

lock: $(VENV)/dev.stamp  ## compile requirements*.in into requirements*.txt
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host requirements.in
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host requirements-dev.in
