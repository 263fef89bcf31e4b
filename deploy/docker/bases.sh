#!/usr/bin/env bash
# Makes stand-ins for the base images where no registry is reachable, from Debian packages, under the
# names that the Dockerfiles use; where a registry is reachable they are not needed.
#   deploy/docker/bases.sh [python …]     those that are missing, all without arguments
# Needs root, mmdebstrap and docker. The machine's own trust store goes into them, as behind a
# company's proxy a container knows no other way to the package registries.
set -euo pipefail

suite=bookworm
trust=/etc/ssl/certs/ca-certificates.crt
declare -A names=([python]=python:3.11-slim-bookworm)
declare -A packages=([python]=ca-certificates,python3,python3-venv)

make_base() {
    local kind=$1 name=${names[$1]} folder
    if docker image inspect "$name" >/dev/null 2>&1; then
        return
    fi
    echo "bases: making $name of Debian packages"
    folder=$(mktemp --directory)
    trap 'rm -rf "$folder"' RETURN
    mmdebstrap --quiet --variant=minbase --include="${packages[$kind]}" \
        --customize-hook="copy-in $trust /etc/ssl/certs" \
        --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*' \
        "$suite" "$folder/base.tar"
    docker import \
        --change "ENV SSL_CERT_FILE=$trust PIP_CERT=$trust" \
        --change 'LABEL org.stratvector.stand-in=true' \
        --change 'CMD ["/bin/bash"]' "$folder/base.tar" "$name" >/dev/null
}

for tool in docker mmdebstrap; do
    if ! command -v "$tool" >/dev/null; then
        echo "bases: $tool is missing; install it: apt-get install ${tool/docker/docker.io}" >&2
        exit 1
    fi
done
kinds=("$@")
((${#kinds[@]})) || kinds=("${!names[@]}")
for kind in "${kinds[@]}"; do
    if [[ ! -v names[$kind] ]]; then
        echo "bases: there is no base image '$kind'; there are ${!names[*]}" >&2
        exit 2
    fi
    make_base "$kind"
done
