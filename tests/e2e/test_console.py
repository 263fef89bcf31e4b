"""The console in a real browser, over `stratvector up`: it moves, tells the truth, and works."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import expect

from stratvector.runtime.jetstream.server import free_port
from tests.e2e.browser import PATIENCE_MS, browser_path, opened

ROOT = Path(__file__).resolve().parents[2]
SERVICES = (
    "market_data", "strategy", "risk", "execution", "ledger",
    "monte_carlo", "drift", "research", "gateway",
)  # fmt: skip
START_SECONDS_MAX = 120.0
CLOSES_PER_S = "80"  # slow enough that a page that opens late still sees the session move
MISSING = "there is no Chromium to drive the console with; install it: apt-get install chromium"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("console"),  # one platform for all, in their order
    pytest.mark.skipif(browser_path() is None, reason=MISSING),
]


@dataclass(frozen=True)
class Platform:
    """A running `stratvector up`."""

    process: psutil.Popen
    url: str
    folder: Path

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return json.load(answer)

    def child(self, service: str) -> psutil.Process:
        """The process of a service."""
        for child in self.process.children(recursive=True):
            if f"stratvector.services.{service}" in " ".join(child.cmdline()):
                return child
        raise AssertionError(f"no process runs {service}")

    def said(self) -> str:
        return (self.folder / "up.out").read_text()

    def gateway_log(self) -> list[dict[str, Any]]:
        lines = (self.folder / "logs" / "gateway.log").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The shipped session, replayed with everything in a folder of its own."""
    folder = tmp_path_factory.mktemp("console")
    port = free_port()
    command = [
        sys.executable, "-m", "stratvector.cli", "up", "--base-port", "0", "--port", str(port),
        "--config", str(ROOT / "config" / "system.yaml"), "--out", "results",
        "--speed", CLOSES_PER_S,
    ]  # fmt: skip
    environment = os.environ | {
        "STRATVECTOR_RESEARCH_CONFIG_FOLDER": str(ROOT / "config"),
        "STRATVECTOR_RESEARCH_RESULTS_FOLDER": str(folder / "jobs"),
    }
    with (folder / "up.out").open("wb") as out:
        process = psutil.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    running = Platform(process, f"http://127.0.0.1:{port}", folder)
    try:
        until_answering(running)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def until_answering(platform: Platform) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            platform.get("/api/monitoring")
            return
        except (urllib.error.URLError, ConnectionError):
            over = platform.process.poll() is not None or time.monotonic() > deadline
            assert not over, platform.said()
            time.sleep(0.1)


def money(text: str) -> float:
    return float(text.replace(",", ""))


def test_the_page_moves_with_the_replay_and_loads_nothing_from_elsewhere(
    platform: Platform,
) -> None:
    with opened(platform.url) as seen:
        equity = seen.page.get_by_test_id("equity")
        expect(equity).to_have_text(re.compile(r"^[\d,]+\.\d\d$"), timeout=PATIENCE_MS)
        before, bars = equity.inner_text(), money(seen.text("count-bars"))
        expect(equity).not_to_have_text(before, timeout=PATIENCE_MS)
        seen.page.wait_for_function(
            "before => Number(document.querySelector('[data-testid=count-bars]')"
            ".innerText.replaceAll(',', '')) > before",
            arg=bars,
        )
        expect(seen.page.get_by_test_id("positions")).to_contain_text("Cash")
        expect(seen.page.get_by_test_id("events")).to_contain_text("bought")
        expect(seen.page.get_by_test_id("equity-chart").locator("canvas")).to_be_visible()
        expect(seen.page.get_by_test_id("drawdown-chart").locator("canvas")).to_be_visible()
        expect(seen.page.get_by_test_id("var-95")).to_contain_text("%", timeout=PATIENCE_MS)
        for service in SERVICES:
            line = seen.page.get_by_test_id(f"health-{service}")
            expect(line).to_have_attribute("data-level", "green", timeout=PATIENCE_MS)
        assert seen.complaints.errors == []
        assert seen.complaints.foreign == []


def test_a_killed_service_turns_red_and_green_again(platform: Platform) -> None:
    with opened(platform.url) as seen:
        line = seen.page.get_by_test_id("health-ledger")
        expect(line).to_have_attribute("data-level", "green", timeout=PATIENCE_MS)
        platform.child("ledger").kill()
        expect(line).to_have_attribute("data-level", "red", timeout=PATIENCE_MS)
        expect(line).to_contain_text("down")
        expect(line).to_have_attribute("data-level", "green", timeout=PATIENCE_MS)
        assert seen.complaints.errors == []


def test_a_submitted_backtest_shows_its_result(platform: Platform) -> None:
    with opened(platform.url) as seen:
        page = seen.page
        page.get_by_test_id("backtest-start").fill("2018-13-01")
        page.get_by_test_id("backtest-submit").click()
        status = page.get_by_test_id("backtest-status")
        expect(status).to_contain_text("2018-13-01")
        page.get_by_test_id("backtest-start").fill("2018-01-01")
        page.get_by_test_id("backtest-end").fill("2018-02-28")
        page.get_by_test_id("backtest-submit").click()
        expect(status).to_contain_text("Done", timeout=2 * PATIENCE_MS)
        result = page.get_by_test_id("backtest-result")
        expect(result).to_contain_text("Sharpe")
        (job, *_) = platform.get("/api/backtesting")["jobs"]
        told = f"{100 * job['metrics']['total_return']:.2f} %".replace("-", "\N{MINUS SIGN}")
        expect(result).to_contain_text(told)
        assert (job["state"], job["start"], job["end"]) == ("done", "2018-01-01", "2018-02-28")
        assert seen.complaints.errors == []


def test_a_phone_shows_everything_without_scrolling_sideways(platform: Platform) -> None:
    with opened(platform.url, width=390, height=844) as seen:
        expect(seen.page.get_by_test_id("positions")).to_contain_text("Cash", timeout=PATIENCE_MS)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
        for card in ("equity", "drawdown", "positions", "flow", "services", "models", "backtest"):
            box = seen.page.get_by_test_id(f"{card}-card").bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
        assert seen.complaints.errors == []


def test_the_page_and_the_api_tell_the_same_account(platform: Platform) -> None:
    with opened(platform.url) as seen:
        seen.page.wait_for_function(
            "() => /([\\d,]+) of \\1 closes/.test("
            "document.querySelector('[data-testid=last-close-about]').innerText)",
            timeout=3 * PATIENCE_MS,
        )
        seen.page.wait_for_timeout(1_000)
        summary = platform.get("/api/portfolio/summary")
        while summary["closes"] < platform_closes(seen.text("last-close-about")):
            time.sleep(0.1)
            summary = platform.get("/api/portfolio/summary")
        assert abs(money(seen.text("equity")) - float(summary["equity"])) < 0.01
        assert money(seen.text("count-fills")) == summary["fills"]
        assert money(seen.text("count-orders")) == summary["orders"]


def platform_closes(about: str) -> int:
    found = re.search(r"([\d,]+) of", about)
    assert found is not None
    return int(found[1].replace(",", ""))


def test_a_drain_with_an_open_page_leaves_nothing_behind(platform: Platform) -> None:
    """Stands last: it ends the platform."""
    children = platform.process.children(recursive=True)
    with opened(platform.url):
        platform.process.send_signal(signal.SIGINT)
        platform.process.wait(60)
    assert platform.gateway_log()[-1]["event"] == "stopped", platform.gateway_log()[-3:]
    assert platform.gateway_log()[-1]["code"] == 0
    assert not any(child.is_running() for child in children)
