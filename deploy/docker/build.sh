#!/usr/bin/env bash
# Builds the images of all services and of the command line, or those that are named:
#   deploy/docker/build.sh [risk monte_carlo cli …]
# VERSION (0.1.0) is the tag, NUMBA_CPU_NAME the processor that the engine is compiled for.
set -euo pipefail
cd "$(dirname "$0")/../.."

all=(cli monte_carlo market_data strategy risk execution ledger drift research gateway)
version=${VERSION:-0.1.0}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)

build() {
    local name=$1 file=python
    [[ $name != monte_carlo ]] || file=rust
    echo "build: stratvector/$name:$version"
    # The builder says much about itself; what fails is shown whole.
    docker build --quiet --file "deploy/docker/$file.Dockerfile" \
        --build-arg "SERVICE=$name" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
        --build-arg "NUMBA_CPU_NAME=${NUMBA_CPU_NAME:-x86-64-v2}" \
        --tag "stratvector/$name:$version" . >/dev/null
}

names=("$@")
((${#names[@]})) || names=("${all[@]}")
for name in "${names[@]}"; do
    if [[ " ${all[*]} " != *" $name "* ]]; then
        echo "build: there is no image '$name'; there are ${all[*]}" >&2
        exit 2
    fi
done
# The first makes the stages that all share. Then two at a time: half of its time each waits for the
# disk and the package index.
build "${names[0]}"
export -f build
export version revision
printf '%s\n' "${names[@]:1}" |
    xargs --no-run-if-empty --max-procs 2 --max-args 1 bash -euo pipefail -c 'build "$1"' build
