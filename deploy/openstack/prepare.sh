#!/usr/bin/env bash
# What cloud-init runs once: Docker on the server's volume, the first configuration, and the timer that
# brings the next ones. Tells Heat how it ended, where Heat waits.
set -euo pipefail

state=/var/lib/stratvector
notify=/etc/stratvector/notify
device_seconds_max=600

# Cinder's device by the beginning of its id, which is its serial number; the attachment comes late.
volume_device() {
    local found attempt
    for ((attempt = 0; attempt < device_seconds_max; attempt++)); do
        for found in /dev/disk/by-id/*"${VOLUME_ID:0:20}"*; do
            [[ -b $found ]] && echo "$found" && return
        done
        sleep 1
    done
    echo "volume $VOLUME_ID did not appear within $device_seconds_max s" >&2
    return 1
}

# A volume that has a file system keeps it, with all that is on it.
mount_volume() {
    local device
    device=$(volume_device)
    blkid "$device" >/dev/null || mkfs.ext4 -q -L stratvector "$device"
    mkdir -p /var/lib/docker
    echo "LABEL=stratvector /var/lib/docker ext4 defaults,nofail 0 2" >>/etc/fstab
    mount /var/lib/docker
}

install_docker() {
    docker compose version >/dev/null 2>&1 && return
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes docker.io docker-compose-v2
}

tell_heat() {
    local status=$1 reason=$2
    [[ -e $notify ]] || return 0
    # What curl_cli gives is a whole curl command but for the body.
    sh -c "$(cat "$notify") --data-binary \"\$1\"" notify \
        "{\"status\": \"$status\", \"id\": \"$ROLE\", \"reason\": \"$reason\", \"data\": \"$(host_key)\"}"
}

# By which workers know the server that they ask for their seed.
host_key() { cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub; }

finish() {
    local code=$?
    if ((code == 0)); then
        tell_heat SUCCESS "everything is healthy"
    else
        tell_heat FAILURE "see /var/log/cloud-init-output.log on the server $ROLE"
    fi
    exit "$code"
}

# shellcheck source=/dev/null
. /etc/stratvector/server.env
mkdir -p "$state"
trap finish EXIT
if [[ -n ${VOLUME_ID:-} ]]; then
    mount_volume
fi
install_docker
systemctl daemon-reload
# Before the first start, so that one which fails is tried again; they wait for each other.
systemctl enable --now stratvector-update.timer
/opt/stratvector/update
