#!/usr/bin/env bash
# Makes stand-ins for the base images where no registry is reachable, from Debian packages, under the
# names that the Dockerfiles use; where a registry is reachable they are not needed.
#   deploy/docker/bases.sh [python rust nats postgres prometheus alertmanager]
#                                             those that are missing, all without arguments
# Needs root, mmdebstrap and docker. The machine's own trust store goes into them, as behind a
# company's proxy a container knows no other way to the package registries.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
suite=bookworm
trust=/etc/ssl/certs/ca-certificates.crt
declare -A names=(
    [python]=python:3.11-slim-bookworm
    [rust]=rust:1.90-slim-bookworm
    [nats]=nats:2.15.1-alpine
    [postgres]=postgres:15-bookworm
    [prometheus]=prom/prometheus:v2.42.0
    [alertmanager]=prom/alertmanager:v0.25.0
)
declare -A packages=(
    [python]=ca-certificates,python3,python3-venv
    [rust]=ca-certificates,cargo-web,rustc-web,gcc,libc6-dev
)
order=(python rust nats postgres prometheus alertmanager) # the last four stand on the first

make_base() {
    local kind=$1 name=${names[$1]}
    if docker image inspect "$name" >/dev/null 2>&1; then
        return
    fi
    echo "bases: making $name of Debian packages"
    if [[ -v packages[$kind] ]]; then
        make_system "$kind" "$name"
    else
        make_base python
        docker build --quiet --file "$here/stand-ins/$kind.Dockerfile" --tag "$name" \
            "$here/stand-ins" >/dev/null
    fi
}

make_system() (
    kind=$1 name=$2
    folder=$(mktemp --directory)
    trap 'rm -rf "$folder"' EXIT
    mmdebstrap --quiet --variant=minbase --include="${packages[$kind]}" \
        --customize-hook="copy-in $trust /etc/ssl/certs" \
        --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*' \
        "$suite" "$folder/base.tar"
    docker import \
        --change "ENV SSL_CERT_FILE=$trust PIP_CERT=$trust CARGO_HTTP_CAINFO=$trust" \
        --change 'LABEL org.stratvector.stand-in=true' \
        --change 'CMD ["/bin/bash"]' "$folder/base.tar" "$name" >/dev/null
)

for tool in docker mmdebstrap; do
    if ! command -v "$tool" >/dev/null; then
        echo "bases: $tool is missing; install it: apt-get install ${tool/docker/docker.io}" >&2
        exit 1
    fi
done
kinds=("$@")
((${#kinds[@]})) || kinds=("${order[@]}")
for kind in "${kinds[@]}"; do
    if [[ ! -v names[$kind] ]]; then
        echo "bases: there is no base image '$kind'; there are ${order[*]}" >&2
        exit 2
    fi
    make_base "$kind"
done
