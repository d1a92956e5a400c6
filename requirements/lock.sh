#!/bin/sh
# Locks both requirement files with hashes and without a package host. Needs uv (pip install uv).
set -eu
cd "$(dirname "$0")"
options="--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet"
uv pip compile $options --python-version 3.13 --python-platform aarch64-manylinux_2_28 \
  lambda.in --output-file lambda.txt
uv pip compile $options --universal --python-version 3.11 --constraint lambda.txt \
  dev.in --output-file dev.txt
