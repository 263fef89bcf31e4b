#!/usr/bin/env bash
# docker compose with this project's file, whichever form of Compose there is; and
#   deploy/docker/compose.sh token      prints the token of the console
set -euo pipefail
cd "$(dirname "$0")/../.."

if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
elif command -v docker-compose >/dev/null; then
    compose=(docker-compose)
else
    echo "compose: there is neither 'docker compose' nor 'docker-compose'; docs.docker.com/compose/install" >&2
    exit 1
fi
if [[ ${1:-} != token ]]; then
    exec "${compose[@]}" "$@"
fi
printf 'console: http://localhost:%s, token ' "${CONSOLE_PORT:-8000}"
"${compose[@]}" exec -T gateway cat /run/stratvector/keys/gateway.token
echo
