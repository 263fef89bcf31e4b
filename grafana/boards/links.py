"""Where a panel leads: a section of the runbook, and the traces of a service."""

import json
from urllib.parse import quote

TRACES_UID = "${traces}"


def runbook_address(alert: str) -> str:
    """The section of an alert, whose anchor is its name in small letters; the page's beginning
    without. The page's address is the dashboard's constant.
    """
    return f"${{runbook:raw}}#{alert.lower()}" if alert else "${runbook:raw}"


def traces_address(service: str) -> str:
    """Explore, searching the chosen trace data source for a service in the panel's time range."""
    source = {"type": "jaeger", "uid": TRACES_UID}
    query = {"refId": "A", "datasource": source, "queryType": "search", "service": service}
    pane = {
        "datasource": TRACES_UID,
        "queries": [query],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    panes = json.dumps({"traces": pane}, separators=(",", ":"))
    return f"/explore?schemaVersion=1&panes={quote(panes, safe='${}')}"
