#!/usr/bin/env bash
# Runs every check, even after one has failed, and names those that failed. Arguments: the Python paths.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
check() { # check NAME COMMAND…
    local name=$1
    shift
    echo "lint: $name"
    "$@" || failed+=("$name")
}

cargo_tool() { # cargo_tool SUBCOMMAND PACKAGE
    cargo "$1" --version >/dev/null 2>&1 && return
    echo "lint: cargo $1 is missing; install it: rustup component add $2 (or apt-get install $3)" >&2
    failed+=("cargo $1")
    return 1
}

check "ruff check" .venv/bin/ruff check "$@"
check "ruff format" .venv/bin/ruff format --check "$@"
check "mypy" .venv/bin/mypy "$@"
check "import rules" .venv/bin/lint-imports --no-logo
if [[ -d proto ]]; then
    check "buf lint" .venv/bin/buf lint
    # Services of two versions run at once while one is rolled out, and logs of years are read.
    check "buf breaking" .venv/bin/buf breaking --against proto/released.binpb
    check "buf format" .venv/bin/buf format --diff --exit-code
fi
check "hadolint" .venv/bin/hadolint deploy/docker/*.Dockerfile deploy/docker/stand-ins/*.Dockerfile
cargo_tool clippy clippy rust-web-clippy &&
    check "clippy" cargo clippy --release --workspace --all-targets --locked --quiet -- -D warnings
cargo_tool fmt rustfmt rustfmt-web && check "rustfmt" cargo fmt --all --check

if ((${#failed[@]} > 0)); then
    echo "lint: failed: $(IFS=,; echo "${failed[*]}")" >&2
    exit 1
fi
echo "lint: all clean"
