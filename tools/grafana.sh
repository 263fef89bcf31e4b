#!/usr/bin/env bash
# Writes Grafana's dashboards to grafana/json; `--check` fails where a file is not fresh. The SDK lives
# in a venv of its own below build/, which no member depends on.
set -euo pipefail
cd "$(dirname "$0")/.."

version='1769699379!11.6.0'
venv=build/grafana-${version#*!}
if [[ ! -x $venv/bin/python ]]; then
    echo "dashboards: installing grafana-foundation-sdk $version" >&2
    made=$venv.$$
    .venv/bin/python -m venv --without-pip "$made"
    VIRTUAL_ENV=$PWD/$made .venv/bin/uv pip install --quiet "grafana-foundation-sdk==$version"
    mv -T "$made" "$venv"  # by name only when it is whole
fi
exec "$venv/bin/python" -m grafana.generate "$@"
