#!/usr/bin/env bash
# Runs this server's part of docker-compose.yml. Called by update.sh, with the server's metadata and
# facts in its environment:
#   serve.sh start     what the release says, waiting until it is healthy
#   serve.sh refresh   a worker's seed and certificates, which may have been made anew
set -euo pipefail
cd "$(dirname "$0")/../.."

state=${STRATVECTOR_STATE:-/var/lib/stratvector}
facts=${STRATVECTOR_FACTS:-/etc/stratvector}
healthy_seconds_max=900
watching='grafana|alertmanager|alert-webhook' # and Prometheus, which is on every server
later=apply                                   # ends by itself, once the others are healthy
container_user=10001

export SERVER_NAME=${HOSTNAME:-$(hostname)}

compose() {
    local files=(--file docker-compose.yml --file "deploy/openstack/compose.$ROLE.yml")
    [[ $ROLE == monitoring ]] || files+=(--file deploy/openstack/compose.agent.yml)
    docker compose --project-name stratvector --project-directory "$PWD" "${files[@]}" "$@"
}

# The services of this role; profiles that nobody asked for are not among them.
services() {
    case $ROLE in
    app) compose config --services | grep --invert-match --extended-regexp --line-regexp "$watching|$later" ;;
    monitoring) compose config --services | grep --extended-regexp --line-regexp "prometheus|$watching" ;;
    worker) printf '%s\n' monte_carlo prometheus ;;
    *) echo "ROLE is app, monitoring or worker, not $ROLE" >&2 && return 2 ;;
    esac
}

# Images of ours come from the registry and get the name that docker-compose.yml knows.
pull_images() {
    local image
    compose config --images "$@" | sort --unique | while read -r image; do
        if [[ $image != stratvector/* ]]; then
            docker pull --quiet "$image"
        elif [[ -n ${image_registry:-} ]]; then
            docker pull --quiet "$image_registry/$image"
            docker tag "$image_registry/$image" "$image"
        fi
    done
}

# A container that could ask for the server's metadata would learn its keys.
hide_metadata() {
    local rule=(DOCKER-USER --destination 169.254.169.254 --jump DROP)
    iptables --check "${rule[@]}" 2>/dev/null || iptables --insert "${rule[@]}"
}

scales() {
    local count
    for count in ${counts:-}; do
        printf -- '--scale %s ' "$count"
    done
}

start() {
    local names
    mapfile -t names < <(services)
    sed --in-place "s/SERVER_NAME/$SERVER_NAME/" deploy/openstack/prometheus.agent.yml
    hide_metadata
    pull_images prepare apply "${names[@]}"
    refresh
    if [[ $ROLE == app ]]; then
        # shellcheck disable=SC2046  # words of counts
        bring_up $(scales) "${names[@]}"
        refresh
        compose run --rm --no-deps apply # says what is wanted; applied again it changes nothing
    else
        compose run --rm --no-deps prepare # gives volumes to their users
        bring_up --no-deps "${names[@]}"
    fi
}

bring_up() { compose up --detach --no-build --wait --wait-timeout "$healthy_seconds_max" "$@"; }

refresh() {
    case $ROLE in
    app) give_to_workers ;;
    worker) ask_for_keys ;;
    esac
}

# What a worker needs: Monte Carlo's own seed and certificates, from its container.
give_to_workers() {
    local made
    [[ -n $(compose ps --quiet monte_carlo) ]] || return 0
    made=$(mktemp --directory)
    compose cp monte_carlo:/run/stratvector/. "$made/"
    tar --create --file "$state/worker.tar.new" --owner "$container_user" --group "$container_user" \
        --mode u=rX,go= --directory "$made" .
    rm -rf "$made"
    chgrp stratvector-worker "$state/worker.tar.new"
    chmod 0640 "$state/worker.tar.new"
    mv "$state/worker.tar.new" "$state/worker.tar"
}

# The server that trades is known by the host key which it told Heat. A file that has changed takes its
# place at once, in the folder that the container has mounted.
ask_for_keys() {
    local key made file
    key=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["app"])' <"$facts/app_told.json")
    echo "${app_address:?} $key" >"$state/known_hosts"
    made=$(mktemp --directory "$state/worker.XXXXXX")
    ssh -i "$facts/worker_key" -o BatchMode=yes -o ConnectTimeout=20 \
        -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$state/known_hosts" \
        "stratvector-worker@$app_address" | tar --extract --preserve-permissions --directory "$made"
    find "$made" -type f -printf '%P\n' | while read -r file; do
        cmp --silent "$made/$file" "$state/worker/$file" && continue
        install --directory --owner "$container_user" --mode 0500 "$state/worker" \
            "$state/worker/$(dirname "$file")"
        mv "$made/$file" "$state/worker/$file"
    done
    rm -rf "$made"
}

case ${1:-} in
start | refresh) "$1" ;;
*) echo "usage: serve.sh start|refresh" >&2 && exit 2 ;;
esac
