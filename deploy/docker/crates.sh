#!/usr/bin/env bash
# What the program is made of, as CycloneDX 1.5: lines `name v1.2.3 …` of `cargo tree` on the input.
set -euo pipefail
echo '{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": ['
sort --unique | awk '
    $1 ~ /^[A-Za-z0-9_-]+$/ && $2 ~ /^v[0-9]/ {
        version = substr($2, 2)
        printf "%s  {\"type\": \"library\", \"name\": \"%s\", \"version\": \"%s\", \"purl\": \"pkg:cargo/%s@%s\"}", \
            separator, $1, version, $1, version
        separator = ",\n"
    }'
printf '\n]}\n'
