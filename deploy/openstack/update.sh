#!/usr/bin/env bash
# Brings this server to what its metadata says, which `openstack stack update` changes in place. Started
# each minute by a timer: without a change it only lets the role look after itself. What fails is tried
# again in the next minute, and what ran before goes on running.
set -euo pipefail

home=${STRATVECTOR_HOME:-/opt/stratvector}
state=${STRATVECTOR_STATE:-/var/lib/stratvector}
server=${STRATVECTOR_SERVER_FILE:-/etc/stratvector/server.env}
metadata=${STRATVECTOR_METADATA_URL:-http://169.254.169.254/openstack/latest/meta_data.json}
releases_kept=3

# The server's own part of the metadata as lines of a shell; OpenStack caches it for some seconds.
read_wanted() {
    curl --silent --show-error --fail --retry 5 --retry-all-errors --max-time 20 "$metadata" |
        python3 -c '
import json, re, shlex, sys
told = json.load(sys.stdin).get("meta", {})
for name, value in sorted(told.items()):
    if re.fullmatch("[a-z0-9_]+", name):
        print(f"{name}={shlex.quote(value)}")
'
}

# Unpacks the file of the wanted hash beside its place, so that a release is whole or absent.
fetch_release() {
    local release=$1 made
    made=$(mktemp -d "$home/releases/new.XXXXXX")
    curl --silent --show-error --fail --location --retry 5 --max-time 300 \
        --output "$made/config.tar.gz" "${config_url:?metadata has no config_url}" || { rm -rf "$made"; return 1; }
    if ! echo "${config_sha256:?}  $made/config.tar.gz" | sha256sum --check --status; then
        rm -rf "$made"
        echo "what config_url gave has not the SHA-256 $config_sha256" >&2
        return 1
    fi
    mkdir "$made/files"
    tar --extract --gzip --no-same-owner --file "$made/config.tar.gz" --directory "$made/files"
    chmod 0755 "$made/files"
    mv -T "$made/files" "$release"
    rm -rf "$made"
}

forget_old_releases() {
    local old
    find "$home/releases" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn |
        tail -n "+$((releases_kept + 1))" | cut -d ' ' -f 2- | while read -r old; do
        [[ $old == "$1" ]] || rm -rf "$old"
    done
}

mkdir -p "$home/releases" "$state"
exec 9>"$state/lock"
flock 9
read_wanted >"$state/wanted.new"
mv "$state/wanted.new" "$state/wanted.env"
set -a
# shellcheck source=/dev/null
. "$server"
# shellcheck source=/dev/null
. "$state/wanted.env"
set +a

release=$home/releases/${config_sha256:?metadata has no config_sha256}
if cmp --silent "$state/wanted.env" "$state/applied.env"; then
    exec "$release/deploy/openstack/serve.sh" refresh
fi
[[ -d $release ]] || fetch_release "$release"
touch "$release"
"$release/deploy/openstack/serve.sh" start
mv "$state/wanted.env" "$state/applied.env"
forget_old_releases "$release"
