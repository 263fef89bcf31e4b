#!/usr/bin/env bash
# Runs Schemathesis against a gateway with the tests' services behind it. The tool lives in a venv of
# its own below build/, which no member depends on; EXAMPLES tells how many requests per route.
set -euo pipefail
cd "$(dirname "$0")/.."

version=4.32.5
venv=build/schemathesis-$version
if [[ ! -x $venv/bin/schemathesis ]]; then
    echo "fuzz-api: installing Schemathesis $version"
    rm -rf "$venv"
    .venv/bin/python -m venv "$venv"
    VIRTUAL_ENV=$venv .venv/bin/uv pip install --quiet "schemathesis==$version"
fi
export SCHEMATHESIS=$PWD/$venv/bin/schemathesis
exec .venv/bin/python -m pytest -s -q services/gateway/tests/fuzz_api.py
