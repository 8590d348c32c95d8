# What a developer, a reader and CI run. Needed beforehand: python3 (3.11 or newer), git, make.
# Everything is installed into $(VENV); `make clean` removes it.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check

# Tests that play a cluster's network in namespaces call these; written as program:Debian package.
LAB_TOOLS := ip:iproute2 iptables:iptables nft:nftables ipset:ipset conntrack:conntrack

# A user's PATH often lacks the folders of these programs.
export PATH := $(PATH):/usr/sbin:/sbin
export DEBIAN_FRONTEND := noninteractive

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check check-lint check-format check-types check-imports format bench clean lab-tools

help:
	@echo "make demo     diagnose a bundle of a broken cluster that comes with podpath"
	@echo "make test     all tests; as root also those that play a network in namespaces (ARGS=... for pytest)"
	@echo "make check    linter, formatting, types, layers"
	@echo "make format   let the linter and the formatter mend what they can"
	@echo "make bench    time podpath on large clusters"
	@echo "make clean    remove all that make made, $(VENV) too"

demo: $(VENV)/.installed
	@$(BIN)/podpath demo

test: $(VENV)/.installed-dev lab-tools
	$(BIN)/python -m pytest -n auto -ra $(ARGS)

# Four targets, so that `make --keep-going check` tells all that is wrong.
check: check-lint check-format check-types check-imports

check-lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .

check-format: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .

check-types: $(VENV)/.installed-dev
	$(BIN)/mypy

check-imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/.installed
	$(BIN)/python -m bench $(ARGS)

clean:
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# --- what the targets above stand on ---

# The stamps: done again only when pyproject.toml changes. The package itself is installed editable.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "installing podpath into $(VENV)"
	@$(PIP) install -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	@echo "installing podpath and its development tools into $(VENV)"
	@$(PIP) install -e '.[dev]'
	@touch $@ $(VENV)/.installed

# The package lists of a new machine are absent or old: then they are fetched, and the install tried again.
APT_INSTALL = apt-get -qq -y -o DPkg::Lock::Timeout=120 install --no-install-recommends
define apt_install
{ $(APT_INSTALL) $(1) || { apt-get -qq update && $(APT_INSTALL) $(1); }; } </dev/null >/dev/null 2>&1
endef
CAN_APT = command -v apt-get >/dev/null && test "$$(id -u)" = 0

# Debian keeps ensurepip, without which a virtual environment has no pip, in a package of its own.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "podpath needs Python 3.11 or newer, and $(PYTHON) is not: try make PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(CAN_APT) && \
	    echo "installing the package python3-venv" && $(call apt_install,python3-venv); } || true
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make a virtual environment: please install the package python3-venv" \
	         "(Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)

# A machine without these programs, or without the right to install them, still runs every other test.
lab-tools:
	@missing() { for pair in $(LAB_TOOLS); do \
	        command -v "$${pair%%:*}" >/dev/null || printf ' %s' "$${pair##*:}"; done; }; \
	    wanted=$$(missing); \
	    if [ -n "$$wanted" ] && $(CAN_APT); then \
	        echo "installing for the namespace tests:$$wanted"; \
	        $(call apt_install,$$wanted) || echo "apt-get could not install them"; \
	    fi; \
	    wanted=$$(missing); \
	    if [ -n "$$wanted" ]; then \
	        echo "missing:$$wanted; tests that play a network in namespaces and need them are skipped"; \
	    elif [ "$$(id -u)" != 0 ]; then \
	        echo "not root: tests that play a network in namespaces are skipped where the kernel refuses one"; \
	    fi
