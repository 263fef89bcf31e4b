#!/usr/bin/env bash
# Generates the protobuf modules and their type stubs into libs/contracts. Never edited, never committed.
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob

source=proto/stratvector/contracts/v1
target=libs/contracts/src
messages=("$source"/*.proto)
if ((${#messages[@]} == 0)); then
    echo "proto: no .proto file in $source"
    exit 0
fi

rm -rf "$target/stratvector/contracts/v1"
mkdir -p "$target/stratvector/contracts/v1"
export PATH="$PWD/.venv/bin:$PATH"
protoc=(python -m grpc_tools.protoc --proto_path=proto)

"${protoc[@]}" --python_out="$target" --mypy_out=quiet:"$target" "${messages[@]}"

mapfile -t services < <(grep --files-with-matches --extended-regexp '^service ' "${messages[@]}" || true)
if ((${#services[@]} > 0)); then
    "${protoc[@]}" --grpc_python_out="$target" --mypy_grpc_out=quiet:"$target" "${services[@]}"
fi
