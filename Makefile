# make test: everything that the tests need, then all checks and tests.
# make demo: a real backup of /etc into ./demo, and its status.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The checkout as a plain path: the finder that setuptools would install makes each start of the
# tests' many programs import more.
INSTALL := $(BIN)/pip install --quiet --config-settings editable_mode=compat --editable

.PHONY: test test-fast test-exhaustive coverage demo tools test-tools lint clean

# Tests wait more than they work: side by side they take half the time. The long ones are at the
# end of no queue: who has nothing left takes from the others. Compiled tests are kept, whatever
# the environment says: else each process compiles all of them.
SIDE_BY_SIDE := $(shell n=$$(($$(nproc) * 2 + 1)); echo $$((n < 12 ? n : 12)))
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(SIDE_BY_SIDE) --dist worksteal

test: lint test-tools
	$(PYTEST)
	sh tests/other-pythons.sh $(BIN)/python

# Before each commit, within a minute: rules, edges on SQLite, one backup in each direction, and a
# tenth of the examples that make test draws.
test-fast: tools $(VENV)/installed-test
	B1000_EXAMPLES=0.1 $(PYTEST) -m "not (slow or fuzz or database or exhaustive)" \
		tests/unit tests/edges tests/test_architecture.py tests/end_to_end/test_push.py \
		"tests/end_to_end/test_both_sides.py::test_in_both_orders_of_start"

# What make test tries a sample of, and hundreds of crashes: half an hour.
test-exhaustive: test-tools $(VENV)/installed-test
	B1000_TRIALS=400 B1000_STARTED=1 $(PYTEST) -m "exhaustive or slow"

# Which lines of the program no test runs; somewhat longer than make test, by Python 3.12 or newer.
coverage: test-tools
	sh tests/coverage.sh

lint: tools $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# rsync is looked for before anything is fetched.
demo: tools $(VENV)/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" sh etc/demo.sh

tools:
	@command -v rsync >/dev/null || sh etc/install-debian.sh rsync

# The programs of MariaDB without the package that runs them as a service of this machine, a
# terminal, a browser for the page of b1000 monitor, shells for the completions, another reader of
# man pages, a locale, what TLS and ssh need, chattr; without all but the first their tests are
# left out.
test-tools: tools
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin"; \
	command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null \
		&& command -v mariadb >/dev/null && command -v mariadb-dump >/dev/null \
		|| sh etc/install-debian.sh mariadb-server-core mariadb-client
	@command -v tmux >/dev/null || sh etc/install-debian.sh tmux \
		|| echo "no tmux: the test of a session at a terminal is skipped"
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null \
		|| sh etc/install-debian.sh chromium chromium-driver \
		|| echo "no browser: the tests of the monitor's page are skipped"
	@command -v zsh >/dev/null && command -v fish >/dev/null && command -v mandoc >/dev/null \
		|| sh etc/install-debian.sh zsh fish mandoc \
		|| echo "no zsh, fish or mandoc: the tests of what is written for them are skipped"
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin"; \
	command -v stunnel4 >/dev/null && command -v openssl >/dev/null && command -v ssh >/dev/null \
		|| sh etc/install-debian.sh stunnel4 openssl openssh-client \
		|| echo "no stunnel4, openssl or ssh: tests of transport = tls and ssh are skipped"
# The tests start an sshd of their own: this machine is not to have one for that.
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin"; \
	command -v sshd >/dev/null \
		|| { sh etc/install-debian.sh openssh-server \
			&& { systemctl disable --now ssh.service ssh.socket >/dev/null 2>&1 || true; }; } \
		|| echo "no sshd: tests of transport = ssh are skipped"
# Without installing the package, which would run Prometheus as a service of this machine. From
# Debian 13 on promtool has a package of its own.
	@command -v promtool >/dev/null || test -x $(BIN)/promtool \
		|| { mkdir -p $(BIN) && t=$$(mktemp -d) && (cd "$$t" \
			&& { apt-get download -qq promtool || apt-get download -qq prometheus; } \
			&& dpkg-deb -x prom*.deb .) >/dev/null 2>&1 \
			&& cp "$$t/usr/bin/promtool" $(BIN)/ && rm -rf "$$t"; } \
		|| echo "no promtool: tests of the alert rules are skipped"
	@test -f $(BIN)/axe.min.js \
		|| { mkdir -p $(BIN) && t=$$(mktemp -d) && (cd "$$t" && npm pack axe-core@4.14.1 \
			&& tar xzf axe-core-*.tgz) >/dev/null 2>&1 \
			&& cp "$$t/package/axe.min.js" $(BIN)/ && rm -rf "$$t"; } \
		|| echo "no npm: whether everybody can use the monitor's page is not tested"
	@command -v chattr >/dev/null || sh etc/install-debian.sh e2fsprogs \
		|| echo "no chattr: the test of an immutable file is skipped"
	@locale -a 2>/dev/null | grep -qv -e '^C' -e '^POSIX' -e '^en_' \
		|| { sh etc/install-debian.sh locales && localedef -i de_DE -f UTF-8 de_DE.UTF-8; } \
		|| echo "no locale but English ones: the test of names in others is skipped"

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) .
	touch $@

$(VENV)/installed-test: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[test]'
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) .venv-* .coverage* demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- for those who pack and publish

.PHONY: generated deb dist

# What is made from the tables: man pages, completions, the reference.
generated: $(VENV)/installed
	$(BIN)/python -m tools

deb:
	sh packaging/deb.sh

dist: $(VENV)/installed
	$(BIN)/pip install --quiet build
	$(BIN)/python -m build
