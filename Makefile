# The two commands of the README. Everything else is `.venv/bin/invoke ...`; see `.venv/bin/invoke --list`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := demo
.PHONY: demo test ready system

PACKAGES := git mmdebstrap openssh-client podman python3-venv runc util-linux
# Any Python from 3.11 on: the system's own first, then the one on PATH.
PYTHON ?= $(firstword $(foreach python,/usr/bin/python3 python3,$(shell $(python) -c 'import sys; \
	print("$(python)") if (3, 11) <= sys.version_info < (3, 14) else None' 2>/dev/null)) python3)
INVOKE := .venv/bin/invoke

demo: ready
	@$(INVOKE) lab.up
	@$(INVOKE) onboard --host ws-01 --client demo
	@$(INVOKE) audit.verify --client demo

test: ready
	@$(INVOKE) dev.test

ready: system .venv/ready

# Says in one line what it installs; says and does nothing when all is there.
system:
	@if ! command -v dpkg-query > /dev/null; then \
		echo 'Not a Debian machine: see that these, or their like, are there: $(PACKAGES)'; exit 0; \
	fi; \
	there=$$(dpkg-query --show --showformat '$${db:Status-Status} $${Package}\n' $(PACKAGES) 2> /dev/null \
		| sed -n 's/^installed //p' || true); \
	missing=$$(comm -23 <(printf '%s\n' $(PACKAGES) | sort) <(sort <<< "$$there") | xargs); \
	if [ -n "$$missing" ]; then \
		echo "Installing with apt: $$missing"; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		apt="$$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300"; \
		$$apt update && $$apt install --yes $$missing > /dev/null; \
	fi

# The lock decides what is installed: a constraint file of this machine has no say (/dev/null is an empty one).
.venv/ready: export PIP_CONSTRAINT := /dev/null
.venv/ready: requirements.lock pyproject.toml | system
	@echo 'Installing into .venv what requirements.lock names'
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
