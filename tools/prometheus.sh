#!/usr/bin/env bash
# Installs Prometheus and Alertmanager, whose promtool and amtool check the alerts, where they are
# missing and this user may. A machine that runs systemd starts both, on their usual ports; a container
# starts none. Never fails: without them those tests are skipped, and say so.
set -uo pipefail

command -v promtool >/dev/null && command -v amtool >/dev/null && exit 0
if command -v apt-get >/dev/null && [[ $(id -u) -eq 0 ]]; then
    echo "prometheus: installing Prometheus and Alertmanager"
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    { apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends \
        prometheus prometheus-alertmanager; } >/dev/null 2>&1 && exit 0
fi
echo "prometheus: promtool and amtool are missing, so the tests of alerts are skipped; apt-get install prometheus prometheus-alertmanager"
exit 0
