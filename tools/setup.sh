#!/usr/bin/env bash
# Makes .venv with every locked package, every member, the generated contracts and a warm engine.
# Each step leaves a stamp of what it read and is skipped while that is unchanged.
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob

python=${PYTHON:-python3}
venv=$PWD/.venv
stamps=$venv/.setup
members=(libs/*/pyproject.toml services/*/pyproject.toml)
protos=(proto/stratvector/contracts/v1/*.proto)
crates=(Cargo.toml Cargo.lock libs/montecarlo/core/Cargo.toml libs/montecarlo/core/src/*.rs)
bindings=(libs/montecarlo/python/{Cargo.toml,pyproject.toml} libs/montecarlo/python/src/*.rs)
simulator=(services/monte_carlo/{Cargo.toml,build.rs} services/monte_carlo/src/*.rs)
compiled=(libs/trading/src/stratvector/trading/*.py libs/trading/src/stratvector/trading/engine/*.py
    libs/strategies/src/stratvector/strategies/*.py libs/backtest/src/stratvector/backtest/{,metrics/}*.py)

missing=0
worked=0 # whether any step had something to do
require() { # require SENTENCE COMMAND…: says the sentence when the command fails
    local sentence=$1
    shift
    if ! "$@" >/dev/null 2>&1; then
        echo "setup: $sentence" >&2
        missing=1
    fi
}

step() { # step NAME SENTENCE COMMAND FILE…: runs the command unless the files are as it last saw them
    local name=$1 sentence=$2 command=$3 print
    shift 3
    print=$(pwd && sha256sum "$0" "$@")
    if [[ -f $stamps/$name && $(<"$stamps/$name") == "$print" ]]; then
        return
    fi
    echo "setup: $sentence"
    "$command"
    worked=1
    mkdir -p "$stamps"
    echo "$print" >"$stamps/$name"
}

create_environment() {
    "$python" -m venv --clear "$venv"
    # The block of the lock that pins uv and its hashes.
    awk '/^uv==/ {inside=1} inside {print} inside && !/\\$/ {exit}' requirements.lock \
        >"$venv/uv-requirements.txt"
    "$venv/bin/python" -m pip install --quiet --no-deps --require-hashes \
        --requirement "$venv/uv-requirements.txt"
}

install_packages() {
    rm -f "$stamps"/{members,montecarlo} # the sync takes the members out
    # Without bytecode each process compiles what it imports, where PYTHONDONTWRITEBYTECODE is set,
    # as in many containers: four seconds of a service's start instead of one.
    "$venv/bin/uv" pip sync --quiet --compile-bytecode --require-hashes \
        requirements.lock requirements-sample.lock
}

install_members() {
    local editables=() member
    for member in "${members[@]}"; do
        editables+=(--editable "$(dirname "$member")")
    done
    "$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation "${editables[@]}"
}

install_montecarlo() {
    "$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --reinstall-package \
        stratvector-montecarlo --editable libs/montecarlo/python
}

build_simulator() {
    cargo build --quiet --release --locked --package stratvector-monte-carlo
    install target/release/stratvector-monte-carlo "$venv/bin/" # beside the stratvector command
}

warm_cache() {
    local module
    for module in trading strategies backtest; do
        "$venv/bin/python" -m "stratvector.$module.warm"
    done
}

require "Python 3.11 or newer with venv is missing; install it: apt-get install python3-venv" \
    "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
require "Rust's cargo is missing; install it: apt-get install rustc-web cargo-web" cargo --version
require "The C compiler is missing; install it: apt-get install gcc libc6-dev" gcc --version
((missing == 0)) || exit 1

export VIRTUAL_ENV=$venv
if ! "$venv/bin/python" -m uv --version >/dev/null 2>&1; then
    echo "setup: creating .venv"
    create_environment
fi
step packages "installing the locked packages" install_packages \
    requirements.lock requirements-sample.lock
if ((${#members[@]} > 0)); then
    step members "installing ${#members[@]} members" install_members "${members[@]}"
fi
if ((${#protos[@]} > 0)); then
    step contracts "generating the contracts" tools/proto.sh tools/proto.sh "${protos[@]}"
fi
"$venv/bin/python" -m compileall -q libs services tests # see install_packages; of changed files only
# What was built may be gone though nothing changed: `cargo clean`, or a clean of ignored files.
[[ -f libs/montecarlo/python/src/stratvector/montecarlo/native.abi3.so ]] || rm -f "$stamps/montecarlo"
[[ -x target/release/stratvector-monte-carlo && -x $venv/bin/stratvector-monte-carlo ]] ||
    rm -f "$stamps/monte_carlo"
step montecarlo "compiling Monte Carlo for Python" install_montecarlo "${crates[@]}" "${bindings[@]}"
step monte_carlo "compiling the Monte Carlo service, which takes up to three minutes" \
    build_simulator "${crates[@]}" "${simulator[@]}" proto/stratvector/contracts/v1/monte_carlo_*.proto
if ((${#compiled[@]} > 0)); then
    step cache "compiling the engine and the models, which takes a minute or two" warm_cache \
        requirements.lock "${compiled[@]}"
fi
((worked == 0)) || echo "setup: done in $SECONDS s"
