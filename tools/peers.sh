#!/usr/bin/env bash
# Makes .venv/peers: the backtesters that `make bench-backtest` runs beside ours. They are no part of
# the product: their needs would hold back its own.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=benchmarks/peers/requirements.txt
stamp=.venv/peers/.requirements.txt
cmp --silent "$wanted" "$stamp" && exit 0
echo "peers: installing $(tr '\n' ' ' <"$wanted")"
rm -rf .venv/peers
.venv/bin/python -m venv --without-pip .venv/peers
.venv/bin/uv pip install --quiet --python .venv/peers/bin/python --requirement "$wanted"
cp "$wanted" "$stamp"
