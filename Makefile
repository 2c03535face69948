# routekit. `make up` starts it; `make help` lists the rest.
PYTHON ?= python3
PY := .venv/bin/python
ENSURE := @command -v $(PYTHON) >/dev/null || { echo "routekit needs Python 3.11 or newer, and $(PYTHON) is not on PATH. Install it and run make again." >&2; exit 1; }; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 6))' || { echo "routekit needs Python 3.11 or newer, which $(PYTHON) is not. Install it and run make again, or name it: make PYTHON=/path/to/python3." >&2; exit 1; };
# Django commands of `check` see a deployment's settings; none of them opens a connection.
DEPLOYED := SECRET_KEY=check-only-7f3a9c51e8d24b60a1c9e57d0b4f86a2d93c15e7 KEK=check-only-b82e4f09d6c37a15f0e4a96b2d DATABASE_URL=sqlite:///:memory: \
	ALLOWED_HOSTS=routekit.example ROUTEKIT_HOME=.routekit-check

.PHONY: help up dev test check bench openapi lock \
	check-style check-types check-imports check-templates check-django check-security check-openapi check-lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

up: ## start everything: web, worker, beat, Valkey, the demo service (PORT, HOST, ROUTEKIT_HOME)
	$(ENSURE) exec $(PYTHON) -I routekit/bootstrap.py up

dev: ## install the locked dependencies of tests and checks
	$(ENSURE) exec $(PYTHON) -I routekit/bootstrap.py dev

test: dev ## every test: on SQLite, then on Postgres; with Valkey and a browser
	@$(PY) -m tests.chromium
	@$(PY) -m tests.aimock
	$(PY) -m pytest -n 2 --dist loadgroup
	TEST_DATABASE=postgres $(PY) -m pytest -n 2 --dist loadgroup

check: check-style check-types check-imports check-templates check-django check-security check-openapi check-lock ## all that is checked without running

check-style: dev
	$(PY) -m ruff check
	$(PY) -m ruff format --check

check-types: dev
	@$(DEPLOYED) $(PY) -m mypy routekit llmconfig agent
	$(PY) -m pyright

check-imports: dev
	.venv/bin/lint-imports

check-templates: dev
	$(PY) -m djlint templates --check --lint --quiet

check-django: dev
	@$(DEPLOYED) $(PY) manage.py makemigrations --check --dry-run
	@$(DEPLOYED) $(PY) manage.py check --deploy --fail-level WARNING

check-security: dev
	$(PY) -m bandit -q -ll -r routekit llmconfig agent

check-openapi: dev
	@fresh=$$(mktemp); trap 'rm -f "$$fresh"' EXIT; \
		$(DEPLOYED) $(PY) manage.py spectacular --validate --fail-on-warn --file "$$fresh" && diff -u docs/openapi.yaml "$$fresh" \
		|| { echo "docs/openapi.yaml is not what the code says. Run make openapi and look at the difference." >&2; exit 1; }

check-lock: dev
	$(PY) requirements/consistency.py

bench: dev ## the benchmarks, as tables
	$(PY) -m bench

openapi: dev ## write docs/openapi.yaml from the code
	@$(DEPLOYED) $(PY) manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

UV_COMPILE := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 pyproject.toml
lock: ## resolve the dependencies anew (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pipx install uv" >&2; exit 1; }
	$(UV_COMPILE) --upgrade --extra embedded --output-file requirements/run.txt
	$(UV_COMPILE) --upgrade --extra embedded --group dev --constraint requirements/run.txt --output-file requirements/dev.txt
	$(PY) requirements/consistency.py
