#!/usr/bin/env bash
# docker compose with this project's file, whichever form of Compose there is; and
#   deploy/docker/compose.sh token        prints the token of the console
#   deploy/docker/compose.sh authority    prints the certificate that signs the others: who trusts it
#                                         trusts https://localhost:8000
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
secret() { "${compose[@]}" exec -T gateway cat "/run/stratvector/$1"; }

case ${1:-} in
token)
    printf 'console: https://localhost:%s, token ' "${CONSOLE_PORT:-8000}"
    secret keys/gateway.token
    echo
    ;;
authority) secret tls/ca.crt ;;
*) exec "${compose[@]}" "$@" ;;
esac
