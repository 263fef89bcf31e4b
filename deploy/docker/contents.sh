#!/usr/bin/env bash
# What the image of the Monte Carlo service is made of, as CycloneDX 1.5: the program's crates, and the
# Debian packages of the system's files that are copied beside it.
#   contents.sh FILE...
set -euo pipefail

# component KIND: of each line `name version` of the input.
components() {
    awk -v kind="$1" '{
        printf "  {\"type\": \"library\", \"name\": \"%s\", \"version\": \"%s\", \"purl\": \"pkg:%s/%s@%s\"}\n", \
            $1, $2, kind, $1, $2
    }'
}

crates() {
    cargo tree --quiet --locked --package stratvector-monte-carlo --edges normal --prefix none |
        awk '$1 ~ /^[A-Za-z0-9_-]+$/ && $2 ~ /^v[0-9]/ {print $1, substr($2, 2)}' | sort --unique
}

# A file that a base brought without a package is nobody's.
packages() {
    { dpkg-query --search "$@" 2>/dev/null || true; } | cut --delimiter : --fields 1 | sort --unique |
        xargs --no-run-if-empty dpkg-query --show --showformat '${Package} ${Version}\n'
}

echo '{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": ['
{
    crates | components cargo
    packages "$@" | components deb/debian
} | sed '$!s/$/,/'
echo ']}'
