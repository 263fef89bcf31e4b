"""Splits deploy/prometheus/prometheus.yml for OpenStack, where another server watches.

    python deploy/openstack/prometheus_files.py FOLDER

writes `prometheus.agent.yml` (scrapes its server's services and sends what it finds) and
`prometheus.monitoring.yml` (takes that, evaluates the rules, alerts) to FOLDER.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

WATCHING = {"prometheus", "alertmanager"}
SOURCE = Path(__file__).parents[1] / "prometheus" / "prometheus.yml"
RECEIVER = "http://monitoring:9091/api/v1/write"
SERVER_NAME = "SERVER_NAME"
"""Each server puts its own name here: addresses of containers are the same on all of them."""


def agent(whole: dict[str, Any]) -> dict[str, Any]:
    """Of a server that is watched."""
    return {
        "global": whole["global"] | {"external_labels": {"server": SERVER_NAME}},
        "remote_write": [{"url": RECEIVER, "send_exemplars": True}],
        "scrape_configs": [
            one for one in whole["scrape_configs"] if one["job_name"] not in WATCHING
        ],
    }


def monitoring(whole: dict[str, Any]) -> dict[str, Any]:
    """Of the server that watches."""
    jobs = [one for one in whole["scrape_configs"] if one["job_name"] in WATCHING]
    return whole | {"scrape_configs": jobs}


def main() -> None:
    """Write both files to the folder that the command line names."""
    whole = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    for name, part in (("agent", agent(whole)), ("monitoring", monitoring(whole))):
        path = Path(sys.argv[1]) / f"prometheus.{name}.yml"
        path.write_text(yaml.safe_dump(part, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()
