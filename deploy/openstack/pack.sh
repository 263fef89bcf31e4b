#!/usr/bin/env bash
# Makes config.tar.gz: what a server of the stack runs, without images and without any secret. The same
# commit and files give the same bytes, so its SHA-256 changes only with what servers have to take.
#   deploy/openstack/pack.sh [FILE]     writes FILE (build/openstack/config.tar.gz) and prints its SHA-256
set -euo pipefail
made=$(realpath --canonicalize-missing "${1:-build/openstack/config.tar.gz}")
cd "$(dirname "$0")/../.."

parts=(docker-compose.yml config deploy/docker deploy/prometheus deploy/openstack grafana)
for part in "${parts[@]}"; do
    [[ -e $part ]] || { echo "pack.sh: $part is missing, config.tar.gz would not run" >&2; exit 1; }
done
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
# What git would commit, as it is now: no cache and no editor's copy.
git ls-files --cached --others --exclude-standard -z -- "${parts[@]}" |
    tar --create --null --files-from - --ignore-failed-read | tar --extract --directory "$folder"
rm -rf "$folder"/deploy/openstack/{openrc.sh.example,parameters.yaml}
.venv/bin/python deploy/openstack/prometheus_files.py "$folder/deploy/openstack"
mkdir -p "$(dirname "$made")"
tar --create --directory "$folder" --sort=name --mtime=@1700000000 --owner=0 --group=0 \
    --numeric-owner --mode=u=rwX,go=rX . | gzip --no-name --best >"$made.new"
mv "$made.new" "$made"
sha256sum "$made" | cut -d ' ' -f 1
