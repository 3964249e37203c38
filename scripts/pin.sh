#!/usr/bin/env bash
# Renew the pinned, hashed requirements from requirements/*.in. No registry address gets into them.
set -euo pipefail
cd "$(dirname "$0")/../requirements"
pin() { uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header "$@"; }
pin base.in -o base.txt
pin base.in dev.in -c base.txt -o dev.txt
pin bench-tipg.in -o bench-tipg.txt
