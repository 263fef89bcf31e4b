#!/usr/bin/env bash
# What the stages of python.Dockerfile do:
#   tools                   the installer, from the lock
#   wheels                  a wheel of every Python member, the generated contracts among them
#   service NAME CPU        /opt/stratvector: the packages of one service, its settings, the compiled engine
set -euo pipefail
shopt -s nullglob

source=/source
wheels=/wheels
tools=/tools
home=/opt/stratvector
epoch=1700000000 # the time of every file
compiling=(strategy risk research) # who compiles the engine's code; the others are interpreted

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

install_service() {
    local service=$1 cpu=$2
    constraints >/tmp/constraints.txt
    "$tools/bin/uv" venv --quiet "$home"
    VIRTUAL_ENV=$home "$tools/bin/uv" pip install --quiet --constraint /tmp/constraints.txt \
        "stratvector-service-${service//_/-}"
    find "$home" -type d -name tests \( -path '*/numpy/*' -o -path '*/numba/*' -o -path '*/pandas/*' \) \
        -prune -exec rm -rf {} +
    # Some wheels carry the names of everything that they were linked of: 25 MB of 170. What is below
    # *.libs was patched by the wheel's maker, and does not load any more once it is stripped.
    find "$home" -name '*.so' -type f -not -path '*.libs/*' -exec strip --strip-unneeded {} +
    find "$home" -exec touch --no-dereference --date "@$epoch" {} +
    "$home/bin/python" -m compileall -q --invalidation-mode unchecked-hash \
        -x 'ccxt/static_dependencies' "$home/lib" # which has files of Python 2
    install --mode 0755 "$source"/deploy/docker/{start,healthy} "$home/bin/"
    mkdir --parents "$home/etc"
    settings "$service" >"$home/etc/service.yaml"
    list_packages >"$home/etc/packages.json"
    "$home/bin/python" -P -m "stratvector.services.$service" --help >/dev/null # it can be imported
    if [[ " ${compiling[*]} " == *" $service "* ]]; then
        NUMBA_CPU_NAME=$cpu NUMBA_CPU_FEATURES='' STRATVECTOR_CACHE=$home/cache \
            "$home/bin/python" -m stratvector.trading.warm
    fi
}

# Where a container listens; everything else comes from its environment.
settings() {
    printf 'host: "0.0.0.0"\ngrpc_port: 50051\nhttp_port: 9100\n'
    if [[ $1 == gateway ]]; then
        printf 'auth: token\ntoken_file: /run/secrets/gateway.token\n'
    fi
}

# What is inside, as CycloneDX 1.5.
list_packages() {
    "$home/bin/python" - <<'PYTHON'
import json
from importlib.metadata import distributions

found = sorted((one.metadata["Name"].lower(), one.version) for one in distributions())
components = [
    {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
    for name, version in found
]
print(json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}))
PYTHON
}

case $1 in
tools) install_tools ;;
wheels) build_wheels ;;
service) install_service "$2" "$3" ;;
*)
    echo "install: there is no step $1" >&2
    exit 2
    ;;
esac
