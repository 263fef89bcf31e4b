"""The chart's release as processes: they start in any order, become ready, and trade."""

import json
import ssl
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from stratvector.trading.flow import COMPANIONS, SERVICES
from tests.deploy.chart import ROOT, Helm, needs_helm
from tests.deploy.local_release import LocalRelease

pytestmark = [needs_helm, pytest.mark.long]

ALL = (*SERVICES, *COMPANIONS)
WITHOUT_DOCUMENTS = {"research", "monte_carlo"}  # which serve whoever asks
PATIENCE_SECONDS = 120.0


@pytest.mark.parametrize("tls", [True, False])
def test_a_release_is_ready_before_anything_is_applied_and_trades_afterwards(
    tls: bool, tmp_path: Path
) -> None:
    with Helm() as helm:
        rendered = helm.render(
            {"tls": {"enabled": tls}, "services": {"ledger": {"database": "sqlite"}}}
        )
    with LocalRelease(rendered, tmp_path) as release:
        release.command(["provision", "--wait", "120"], user="provisioner")
        told = release.until_ready()
        assert told.count(": ready ") == len(ALL)
        assert told.count("waiting for documents") == len(ALL) - len(WITHOUT_DOCUMENTS)
        system = str(ROOT / "config" / "system.yaml")
        release.command(["apply", "--file", system, "--run", "1", "--wait", "60"], user="apply")
        summary = until_traded(release, tls)
        assert (summary["run"], summary["portfolio"]) == ("replay.1", "main")
        services = asked(release, tls, "/api/monitoring")["services"]
        assert {one["name"]: one["ready"] for one in services} == dict.fromkeys(ALL, True)


def until_traded(release: LocalRelease, tls: bool) -> Any:
    """The portfolio, once it has fills."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        summary = asked(release, tls, "/api/portfolio/summary")
        if summary["fills"] or time.monotonic() > deadline:
            assert summary["fills"]
            return summary
        time.sleep(0.5)


def asked(release: LocalRelease, tls: bool, path: str) -> Any:
    """The gateway's answer, by the token that the notes tell how to read."""
    authority = str(release.file("certificates/ca.crt"))
    context = ssl.create_default_context(cafile=authority) if tls else None
    token = release.file("keys/gateway.token").read_text().strip()
    scheme = "https" if tls else "http"
    url = f"{scheme}://localhost:{release.port('gateway', 8000)}{path}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:
        return json.loads(answer.read())
