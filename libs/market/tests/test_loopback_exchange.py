"""The loopback exchange as a process of its own, told the time and the faults over its port."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.exchange.faults import Fault, Kind
from tests.exchange.feed_runs import MIDNIGHT, SECOND

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def address() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.exchange", "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def asked(address: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, method="PUT" if data else "GET")
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def test_another_process_tells_the_exchange_the_time_and_the_faults(address: str) -> None:
    asked(address, "/control/clock", {"now": MIDNIGHT + 90 * SECOND})
    page = f"/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={MIDNIGHT // 1_000_000}"
    assert [row[0] for row in asked(address, page)] == [
        MIDNIGHT // 1_000_000,
        MIDNIGHT // 1_000_000 + 60_000,
    ]
    fault = Fault(Kind.THROTTLED, MIDNIGHT, MIDNIGHT + 100 * SECOND)
    assert asked(address, "/control/faults", [fault.to_json()]) == {"faults": 1}
    with pytest.raises(HTTPError) as told:
        asked(address, page)
    with told.value as answer:
        assert answer.code == 429
        assert answer.headers["Retry-After"] == "10"
        assert answer.headers["Date"] == "Wed, 15 Nov 2023 00:01:30 GMT"
    asked(address, "/control/clock", {"now": MIDNIGHT + 95 * SECOND})
    with pytest.raises(HTTPError) as again:
        asked(address, page)
    again.value.close()
    asked(address, "/control/clock", {"now": MIDNIGHT + 101 * SECOND})
    assert len(asked(address, page)) == 2
    requests = asked(address, "/control/requests")
    assert [r["status"] for r in requests] == [200, 429, 429, 200]
    assert [r["too_early"] for r in requests] == [False, False, True, False]


def test_the_told_time_runs_on_where_a_rate_is_given(address: str) -> None:
    first = asked(address, "/control/clock", {"now": MIDNIGHT, "rate": 1e6})["now"]
    assert first >= MIDNIGHT
    page = f"/0/public/OHLC?pair=XXBTZUSD&interval=1&since={MIDNIGHT // SECOND - 1}"
    rows: list[Any] = []
    while len(rows) < 2:
        rows = asked(address, page)["result"]["XXBTZUSD"]
    assert rows[0][0] >= MIDNIGHT // SECOND
