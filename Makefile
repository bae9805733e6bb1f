# The two commands of the README. Everything else is `.venv/bin/invoke ...`; see `.venv/bin/invoke --list`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := demo
.PHONY: demo test ready system

# package:program, so that what is there under another package's name (Docker brings a runc) stays as it is.
PROGRAMS := git:git mmdebstrap:mmdebstrap openssh-client:ssh podman:podman runc:runc
# Any Python from 3.11 on: the system's own first, then the one on PATH.
PYTHON ?= $(firstword $(foreach python,/usr/bin/python3 python3,$(shell $(python) -c 'import sys; \
	print("$(python)") if (3, 11) <= sys.version_info < (3, 14) else None' 2>/dev/null)) python3)
INVOKE := .venv/bin/invoke
# Where Debian's PostgreSQL looks whether to start a server of its own when it is installed: nobody asked for that one.
CLUSTERS := /etc/postgresql-common/createcluster.conf

demo: ready
	@$(INVOKE) lab.up
	@$(INVOKE) onboard --host ws-01 --client demo
	@$(INVOKE) audit.verify --client demo
	@echo 'The record: $(INVOKE) audit.log --client demo; its files: var/ledger.db and var/checkpoints/demo'

# The tests start an sshd and a PostgreSQL server of their own, interrupt system calls, drop packets, ask a time-stamp
# authority, and save to a store of their own.
test: PROGRAMS += iptables:iptables openssh-server:sshd openssl:openssl postgresql:initdb rclone:rclone restic:restic
test: PROGRAMS += strace:strace
test: ready
	@$(INVOKE) dev.test

ready: system .venv/ready

# Says in one line what it installs; says and does nothing when all is there.
system:
	@PATH="$$PATH:/usr/sbin:/sbin$$(printf ':%s' /usr/lib/postgresql/*/bin)"; missing=(); \
	for pair in $(PROGRAMS); do command -v "$${pair#*:}" > /dev/null || missing+=("$${pair%:*}"); done; \
	$(PYTHON) -c 'import ensurepip' 2> /dev/null || missing+=(python3-venv); \
	if [ $${#missing[@]} -eq 0 ]; then exit 0; fi; \
	if ! command -v apt-get > /dev/null; then \
		echo "this machine has no apt: install what these Debian packages hold: $${missing[*]}" >&2; exit 2; \
	fi; \
	echo "Installing with apt: $${missing[*]}"; \
	as=(env); [ "$$(id -u)" = 0 ] || as=(sudo env); \
	if [[ " $${missing[*]} " = *" postgresql "* && ! -e $(CLUSTERS) ]]; then \
		"$${as[@]}" mkdir -p $(dir $(CLUSTERS)); \
		echo 'create_main_cluster = false' | "$${as[@]}" tee $(CLUSTERS) > /dev/null; \
	fi; \
	apt=("$${as[@]}" DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300); \
	"$${apt[@]}" update && "$${apt[@]}" install --yes "$${missing[@]}" > /dev/null

# The lock decides what is installed: a constraint file of this machine has no say (/dev/null is an empty one).
.venv/ready: export PIP_CONSTRAINT := /dev/null
.venv/ready: requirements.lock pyproject.toml | system
	@echo 'Installing into .venv what requirements.lock names'
	@$(PYTHON) -m venv --clear .venv
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --no-compile --require-hashes --no-deps -r requirements.lock
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
