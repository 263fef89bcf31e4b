#!/usr/bin/env bash
# Builds images and runs the tests of containers: the images, and the platform of docker-compose.yml.
#   tools/deploy_test.sh [short|all] [pytest's arguments]
# short: the five services of the flow, without the others. Where no engine is, it says so and is done.
set -euo pipefail
cd "$(dirname "$0")/.."

form=${1:-all}
shift || true
images=(cli market_data strategy risk execution ledger)
[[ $form == short ]] || images=()
if ! docker version >/dev/null 2>&1; then
    echo "deploy-test: no Docker engine answers here, so containers are not tested"
    exit 0
fi
if ! docker compose version >/dev/null 2>&1 && ! command -v docker-compose >/dev/null; then
    echo "deploy-test: there is no Docker Compose here, so containers are not tested"
    exit 0
fi
# Where the real bases can be pulled they are; else stand-ins are made of Debian packages.
if ! docker image inspect python:3.11-slim-bookworm >/dev/null 2>&1 &&
    ! docker pull --quiet python:3.11-slim-bookworm >/dev/null 2>&1; then
    command -v mmdebstrap >/dev/null || apt-get install --quiet=2 --yes mmdebstrap >/dev/null
    bases=(python nats postgres prometheus alertmanager)
    [[ $form == short ]] || bases+=(rust)
    deploy/docker/bases.sh "${bases[@]}"
fi
deploy/docker/build.sh "${images[@]}"
.venv/bin/python -m pytest tests/containers --containers "$form" "$@"
