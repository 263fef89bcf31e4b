#!/usr/bin/env bash
# Installs Chromium, which the console's tests drive, where it is missing and this user may.
# Never fails: without a browser those tests are skipped, and say so.
set -uo pipefail

for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
if command -v apt-get >/dev/null && [[ $(id -u) -eq 0 ]]; then
    echo "browser: installing Chromium"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends chromium; } \
        >/dev/null 2>&1 && exit 0
fi
echo "browser: Chromium is missing, so the console's tests are skipped; apt-get install chromium"
