#!/usr/bin/env bash
# Installs what the tests of the chart need (Helm's own engine, Kubernetes' schemas, models of the CRDs)
# into a venv of its own below build/, which no member depends on. Never fails: without it those tests
# are skipped, and say so.
set -uo pipefail
cd "$(dirname "$0")/.."

packages=(
    helm-python-sdk==0.2.2
    kubernetes-validate==1.37.0
    cloudcoil-models-prometheus-operator==0.80.1.0
    cloudcoil-models-keda==2.16.1.0
    pyyaml==6.0.4
)
venv=build/helm-0.2.2
[[ -x $venv/bin/python ]] && exit 0
echo "helm: installing ${packages[*]}"
made=$venv.$$
.venv/bin/python -m venv --without-pip "$made" &&
    VIRTUAL_ENV=$PWD/$made .venv/bin/uv pip install --quiet "${packages[@]}" &&
    mv -T "$made" "$venv" && exit 0 # by name only when it is whole
rm -rf "$made"
echo "helm: its packages can't be installed, so the tests of the chart are skipped"
exit 0
