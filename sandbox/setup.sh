#!/bin/sh
# Makes .venv and node_modules as the lock files say; does nothing when they are like that already.
# PYTHON chooses the interpreter (default: the first of python3, python3.13, … that is new enough).
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  if [ -n "${PYTHON:-}" ]; then
    new_enough "$PYTHON" && echo "$PYTHON" && return
    say "Imagify needs Python 3.11 or newer, and PYTHON=$PYTHON is not one."
    return 1
  fi
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    new_enough "$candidate" && echo "$candidate" && return
  done
  say "Imagify needs Python 3.11 or newer, and none is on the PATH. Install one," \
    "or name it: make setup PYTHON=/path/to/python3"
  return 1
}

make_venv() {
  # Whatever is there does not run, and must not be what is found.
  rm -rf .venv
  python=$(find_python)
  "$python" -c 'import ensurepip, venv' 2>/dev/null || {
    say "$python has no venv module. Debian and Ubuntu keep it apart: apt install python3-venv"
    return 1
  }
  "$python" -m venv .venv
}

# A pip configuration may name any index; these are the settings that would put packages elsewhere.
install_python_packages() {
  say "Installing $(grep -c '==' requirements/dev.txt) locked Python packages into .venv …"
  PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 \
    .venv/bin/python -m pip install -qq --require-hashes --requirement requirements/dev.txt
  cp requirements/dev.txt .venv/installed.txt
}

# Node comes with the packages above. All that is installed here are development dependencies, some
# of them with a program for each platform: a configuration that leaves either out must not.
install_node_packages() {
  say "Installing the AWS CDK command line and the page's checks into node_modules …"
  PATH="$PWD/.venv/bin:$PATH" .venv/bin/npm ci --include=dev --include=optional --ignore-scripts \
    --no-audit --no-fund --no-update-notifier --no-progress --loglevel=error >/dev/null
  cp package-lock.json node_modules/installed.json
}

.venv/bin/python -c '' 2>/dev/null || make_venv
cmp -s requirements/dev.txt .venv/installed.txt || install_python_packages
cmp -s package-lock.json node_modules/installed.json || install_node_packages
