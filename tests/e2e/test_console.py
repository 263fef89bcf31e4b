"""The console in a real browser, over `stratvector up`: it moves, tells the truth, and works."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import expect

from stratvector.runtime.free_ports import free_port
from tests.e2e.browser import PATIENCE_MS, Opened, Tone, browser_path, opened

ROOT = Path(__file__).resolve().parents[2]
SERVICES = (
    "market_data", "strategy", "risk", "execution", "ledger",
    "monte_carlo", "drift", "research", "gateway",
)  # fmt: skip
START_SECONDS_MAX = 120.0
# The sample's drawdown passes 17 % on 2018-10-29, at its close 2,443; its own limit is 20 %.
LIMIT, END = "0.17", "2018-11-15"
CLOSES_PER_S = "80"  # slow enough that a page that opens late still sees the session move
MISSING = "there is no Chromium to drive the console with; install it: apt-get install chromium"
pytestmark = [
    pytest.mark.slow,
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
    """The shipped session with a nearer limit, replayed with everything in a folder of its own."""
    folder = tmp_path_factory.mktemp("console")
    config = folder / "config"
    shutil.copytree(ROOT / "config", config)
    shipped = (config / "system.yaml").read_text()
    halting = shipped.replace("drawdown_halt: 0.20", f"drawdown_halt: {LIMIT}")
    assert halting != shipped
    (config / "system.yaml").write_text(halting)
    port = free_port()
    command = [
        sys.executable, "-m", "stratvector.cli", "up", "--base-port", "0", "--port", str(port),
        "--config", str(config / "system.yaml"), "--out", "results",
        "--speed", CLOSES_PER_S, "--end", END,
    ]  # fmt: skip
    environment = os.environ | {
        "STRATVECTOR_RESEARCH_CONFIG_FOLDER": str(config),
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


@pytest.fixture(scope="module")
def pictures(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pages' pictures are kept to be looked at."""
    asked: Path | None = pytestconfig.getoption("--screenshots")
    folder = asked or tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def picture(seen: Opened, folder: Path, name: str) -> None:
    """Keep the whole page; it must fit its window, with no word cut in two."""
    seen.page.wait_for_timeout(1_500)  # charts draw once a second
    seen.page.screenshot(path=folder / f"{name}.png", full_page=True)
    width = seen.page.viewport_size["width"] if seen.page.viewport_size else 0
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(seen) == []


def serious(seen: Opened) -> list[str]:
    """What axe finds that keeps somebody from using the page."""
    found = find_spec("axe_playwright_python")
    assert found is not None
    assert found.origin is not None
    seen.page.evaluate(Path(found.origin).with_name("axe.min.js").read_text())
    violations = seen.page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{one['id']}: {one['nodes'][0]['html']}"
        for one in violations
        if one["impact"] in ("serious", "critical")
    ]


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
        expect(seen.page.get_by_test_id("chapter-1")).to_contain_text("begun")
        expect(seen.page.get_by_test_id("equity-chart").locator("canvas")).to_be_visible()
        expect(seen.page.get_by_test_id("drawdown-chart").locator("canvas")).to_be_visible()
        expect(seen.page.get_by_test_id("var-95")).to_contain_text("%", timeout=PATIENCE_MS)
        for service in SERVICES:
            line = seen.page.get_by_test_id(f"health-{service}")
            expect(line).to_have_attribute("data-level", "green", timeout=PATIENCE_MS)
        assert seen.page.get_by_role("alert").filter(visible=True).count() == 0
        assert seen.complaints.errors == []
        assert seen.complaints.foreign == []


def test_both_charts_zoom_together_and_stay_so_while_closes_come(platform: Platform) -> None:
    starts = """async () => {
        const { echarts } = await import("nicegui-echart");
        const charts = [...document.querySelectorAll(".chart")].map(echarts.getInstanceByDom);
        return charts.map((chart) => chart.getOption().dataZoom[0].start);
    }"""
    with opened(platform.url) as seen:
        page = seen.page
        expect(page.get_by_test_id("equity-chart").locator("canvas")).to_be_visible()
        page.wait_for_timeout(1_500)
        assert page.evaluate(starts) == [0, 0]
        page.get_by_test_id("equity-chart").locator("canvas").hover()
        page.keyboard.down("Control")
        page.mouse.wheel(0, -400)
        page.keyboard.up("Control")
        page.wait_for_timeout(1_500)
        equity, drawdown = page.evaluate(starts)
        assert equity == drawdown > 0
        assert seen.complaints.errors == []


def test_a_killed_service_turns_red_and_green_again(platform: Platform, pictures: Path) -> None:
    with opened(platform.url) as seen:
        line = seen.page.get_by_test_id("health-ledger")
        expect(line).to_have_attribute("data-level", "green", timeout=PATIENCE_MS)
        platform.child("ledger").kill()
        expect(line).to_have_attribute("data-level", "red", timeout=PATIENCE_MS)
        expect(line).to_contain_text("down")
        seen.page.screenshot(path=pictures / "killed-1280-light.png")
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


def test_a_phone_shows_everything_without_scrolling_sideways(
    platform: Platform, pictures: Path
) -> None:
    with opened(platform.url, width=390, height=844) as seen:
        expect(seen.page.get_by_test_id("positions")).to_contain_text("Cash", timeout=PATIENCE_MS)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
        for card in (
            "equity", "drawdown", "positions", "flow", "services", "models", "chapters", "backtest",
        ):  # fmt: skip
            box = seen.page.get_by_test_id(f"{card}-card").bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
        picture(seen, pictures, "calm-390-light")
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


def ended(platform: Platform) -> Any:
    """The summary when the session has ended: halted, flat, and no further close in a second."""
    deadline = time.monotonic() + START_SECONDS_MAX
    before, summary = None, platform.get("/api/portfolio/summary")
    while not summary["halts"] or summary["closes"] != before:
        assert time.monotonic() < deadline, platform.said()
        before = summary["closes"]
        time.sleep(1.0)
        summary = platform.get("/api/portfolio/summary")
    return summary


@pytest.mark.parametrize("tone", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_a_halted_portfolio_shouts(
    platform: Platform, pictures: Path, width: int, tone: Tone
) -> None:
    summary = ended(platform)
    (halt,) = summary["halts"]
    assert (halt["rule"], halt["limit"]) == ("drawdown_halt", float(LIMIT))
    assert halt["since"] == summary["halted_since"]
    assert halt["value"] <= -float(LIMIT)
    assert summary["max_drawdown"] <= halt["value"]
    since, flat = (halt[key][:16].replace("T", " ") for key in ("since", "flat_since"))
    with opened(platform.url, width=width, tone=tone) as seen:
        banner = seen.page.get_by_test_id("banner-halted")
        expect(banner).to_have_attribute("role", "alert")
        value = f"{100 * halt['value']:.2f}".replace("-", "\N{MINUS SIGN}")
        expect(banner).to_contain_text(f"since {since} UTC: drawdown {value} %")
        expect(banner).to_contain_text(f"limit \N{MINUS SIGN}17.00 %; flat since {flat} UTC")
        expect(seen.page.get_by_test_id("positions")).to_contain_text(f"Flat since {flat}")
        expect(seen.page.get_by_test_id("events")).to_contain_text("halted: drawdown")
        expect(seen.page.get_by_test_id("var-95-stale")).to_be_visible(timeout=PATIENCE_MS)
        expect(seen.page.locator(".band").first).to_be_visible()
        picture(seen, pictures, f"halted-{width}-{tone}")
        report = seen.page.locator(".band").first.locator("xpath=..").get_attribute("href")
        assert report is not None
        seen.page.goto(report)
        expect(seen.page.locator("section[id$='.EquityTrendModel_v1']")).to_be_visible()
        picture(seen, pictures, f"drift-{width}-{tone}")
        assert seen.complaints.errors == []


def test_services_are_grey_at_once_when_the_gateway_is_lost(
    platform: Platform, pictures: Path
) -> None:
    with opened(platform.url) as seen:
        lines = [seen.page.get_by_test_id(f"health-{service}") for service in SERVICES]
        for line in lines:
            expect(line).to_have_attribute("data-level", "green", timeout=PATIENCE_MS)
        platform.child("gateway").kill()
        expect(seen.page.get_by_test_id("banner-lost")).to_contain_text("has not answered")
        for line in lines:
            expect(line).to_have_attribute("data-level", "unknown")
            expect(line).to_contain_text("unknown")
        seen.page.screenshot(path=pictures / "lost-1280-light.png")
        for line in lines:
            expect(line).to_have_attribute("data-level", "green", timeout=PATIENCE_MS)
        expect(seen.page.get_by_test_id("banner-lost")).to_be_hidden()


def test_a_drain_with_an_open_page_leaves_nothing_behind(platform: Platform) -> None:
    """Stands last: it ends the platform."""
    children = platform.process.children(recursive=True)
    with opened(platform.url):
        platform.process.send_signal(signal.SIGINT)
        platform.process.wait(60)
    last = platform.gateway_log()[-1]
    assert last["event"] == "stopped", last.get("left")
    assert last["code"] == 0
    assert not any(child.is_running() for child in children)
