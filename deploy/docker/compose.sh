#!/usr/bin/env bash
# docker compose with this project's file, whichever form of Compose there is; and
#   deploy/docker/compose.sh token           prints the token of the console
#   deploy/docker/compose.sh authority       prints the certificate that signs the others: who trusts it
#                                            trusts https://localhost:8000
#   deploy/docker/compose.sh backup FOLDER   backs the platform up, while it trades, into FOLDER/stratvector-TIME
#   deploy/docker/compose.sh restore FOLDER  makes an empty platform what one such folder holds
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

# The containers' user gets the folder, which holds backups or nothing: what is in a backup is for
# nobody else on this machine.
hand_over() {
    "${compose[@]}" run --rm --no-deps --entrypoint chown --volume "$1:/backups" prepare -R 10001:10001 /backups
}

refuse_other_folder() {
    local found
    for found in "$1"/* "$1"/.[!.]*; do
        [[ ! -e $found || -e $found/backup.json || $found == */.lock || $found == */.*.part ]] || {
            echo "compose: $1 holds $(basename "$found"), which is no backup; name an empty folder" >&2
            exit 1
        }
    done
}

case ${1:-} in
token)
    printf 'console: https://localhost:%s, token ' "${CONSOLE_PORT:-8000}"
    secret keys/gateway.token
    echo
    ;;
authority) secret tls/ca.crt ;;
backup)
    mkdir -p "${2:?name the folder of the backups}"
    BACKUP_FOLDER=$(realpath "$2")
    export BACKUP_FOLDER
    refuse_other_folder "$BACKUP_FOLDER"
    hand_over "$BACKUP_FOLDER"
    exec "${compose[@]}" run --rm --no-deps backup # what it needs runs; nothing is started anew
    ;;
restore)
    folder=$(realpath "${2:?name the folder of one backup}")
    if [[ ! -e $folder/backup.json ]]; then
        echo "compose: $folder is no whole backup: there is no backup.json in it" >&2
        exit 1
    fi
    export BACKUP_FOLDER=$folder
    hand_over "$folder"
    "${compose[@]}" run --rm restore
    echo "Now start the services (make up-docker), look, and release each portfolio:"
    echo "  deploy/docker/compose.sh run --rm apply portfolios release RUN.PORTFOLIO"
    ;;
*) exec "${compose[@]}" "$@" ;;
esac
