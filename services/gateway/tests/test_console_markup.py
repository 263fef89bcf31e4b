"""The cards' HTML: figures as people read them, empty states in words, and nothing unescaped."""

import math
import re
from types import SimpleNamespace
from typing import Any

import pytest

from stratvector.runtime.served import PortfolioRun
from stratvector.services.gateway.clients.drift import Score
from stratvector.services.gateway.clients.strategy import Model
from stratvector.services.gateway.console.charts import _options, drawn
from stratvector.services.gateway.console.flow import flow
from stratvector.services.gateway.console.markup import gain, money, share_bar
from stratvector.services.gateway.console.models import models
from stratvector.services.gateway.console.positions import positions
from stratvector.services.gateway.console.services import services
from stratvector.services.gateway.console.tiles import tiles
from stratvector.services.gateway.curve import Curve
from stratvector.services.gateway.events import Hub
from stratvector.services.gateway.health import Health
from stratvector.services.gateway.live import Happening, LiveSession
from stratvector.services.gateway.words import percent
from stratvector.trading.flow import FLOW
from tests.sessions.simulated_flow import Flow

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def context(recorded_flow: Flow) -> Any:
    """A context that knows nothing yet."""
    cached = SimpleNamespace(
        models=[], scores={}, risk=None, troubles={}, version=0, worst_drift=None
    )
    live = LiveSession(recorded_flow.session.portfolio, 10, Hub())
    return SimpleNamespace(
        live=live,
        cached=cached,
        health=SimpleNamespace(now={}, probes={}),
        whose=PortfolioRun("replay.1", "main"),
    )


def test_figures_have_separators_signs_and_a_true_minus() -> None:
    assert money(1234567.891) == "1,234,567.89"
    assert money(-0.5) == "\N{MINUS SIGN}0.50"
    assert gain(1234.5) == "+1,234.50"
    assert percent(-0.12345) == "\N{MINUS SIGN}12.35 %"
    assert percent(-0.00001) == "0.00 %"
    assert percent(0.0235, sign=True) == "+2.35 %"
    assert percent(math.nan) == "\N{EN DASH}"
    assert 'style="width:100%"' in share_bar(7.0)
    assert 'style="width:0%"' in share_bar(math.nan)


def test_what_is_not_there_yet_is_said_in_words(context: Any) -> None:
    assert "No position yet." in positions(context)
    assert "No order yet" in flow(context)
    assert "No process is watched" in services(context)
    assert "No model yet" in models(context)
    assert tiles(context).count(">no close yet<") == 4
    assert "no model is scored yet" in tiles(context)


def test_the_nouns_that_flow_to_the_gateway_are_counted(context: Any) -> None:
    counted = re.findall(r'data-testid="count-(\w+)"', flow(context))
    assert counted == [hop.noun for hop in FLOW if hop.noun != "chapters"]


def test_a_service_is_told_in_colour_and_in_words(context: Any) -> None:
    context.health.now = {
        "a": Health("a", "owner", True, ""),
        "b": Health("b", "starting", False, "waiting for NATS"),
        "c": Health("c", "silent", False, "it does not answer"),
        "d": Health("d", "halted", False, "message 3 can't be processed"),
    }
    html = services(context)
    for name, level, word in (
        ("a", "green", "ready"),
        ("b", "amber", "not ready"),
        ("c", "red", "down"),
        ("d", "red", "down"),
    ):
        line = html.split(f'data-testid="health-{name}"')[1].split("</li>")[0]
        assert f'data-level="{level}"' in line
        assert f">{word}<" in line
    assert "waiting for NATS" in html


def test_the_newest_happening_stands_first_and_a_fill_before_the_next_decision(
    context: Any,
) -> None:
    for noun, close, text in (("orders", 1, "one"), ("orders", 2, "three"), ("fills", 2, "two")):
        context.live.happenings.append(Happening(noun, close, "AAA", text))
    html = flow(context)
    assert html.index("three") < html.index("two") < html.index("one")


def test_names_and_reasons_from_elsewhere_are_escaped(context: Any) -> None:
    context.health.now = {EVIL: Health(EVIL, EVIL, False, EVIL)}
    context.live.happenings.append(Happening("fills", 1, EVIL, EVIL))
    context.cached.models = [Model(EVIL, EVIL, EVIL, (), 0.5, None, {EVIL: 0.5})]
    context.cached.scores = {EVIL: Score(EVIL, 1, math.nan, EVIL)}
    context.cached.troubles = {"risk": EVIL, "drift": EVIL, "strategy": EVIL}
    for html in (services(context), flow(context), models(context), tiles(context)):
        assert "&lt;script&gt;" in html
        assert "<script" not in html


def test_a_drift_score_has_the_band_of_drifts_rules_and_leads_to_its_page(context: Any) -> None:
    context.health.probes = {"drift": "http://127.0.0.1:9107"}
    context.cached.models = [Model(n, "s", "u", (), 0.5, None, {}) for n in ("an_a", "b c", "d")]
    context.cached.scores = {
        "an_a": Score("an_a", 1, 0.61, "", "warning"),
        "b c": Score("b c", 1, math.nan, "there are 3 returns"),
    }
    html = models(context)
    scored, unscored, unknown = html.split("<tr data-testid=")[1:]
    assert 'class="band band-warning"' in scored
    assert ">0.61 warning<" in scored
    assert 'href="http://127.0.0.1:9107/#replay.1.main.an_a"' in scored
    assert "<b>an_<wbr>a</b>" in scored
    assert 'class="band band-unknown" title="there are 3 returns"' in unscored
    assert ">no score<" in unscored
    assert 'href="http://127.0.0.1:9107/#replay.1.main.b%20c"' in unscored
    assert "not scored" in unknown
    # In a cluster the browser does not reach what the gateway watches.
    context.health.probes = {"drift": "https://drift:9100"}
    assert "href" not in models(context)
    context.health.probes = {}
    assert "href" not in models(context)


def test_both_charts_have_the_same_margins_and_zooms(context: Any) -> None:
    equity, drawdown = _options({}, {}, ""), _options({}, {}, "", slider=True)
    for side in ("left", "right"):
        assert equity["grid"][side] == drawdown["grid"][side]
    # Zooms are told from chart to chart by their ids.
    assert [z["id"] for z in equity["dataZoom"]] == [z["id"] for z in drawdown["dataZoom"]]


def test_a_curve_begins_with_the_account_and_without_a_close_there_is_none() -> None:
    curve = Curve(100.0)
    assert drawn("equity", curve.points(), curve.start) == []
    assert drawn("drawdown", curve.points(), curve.start) == []
    curve.append(3_000_000, 80.0)
    assert drawn("equity", curve.points(), curve.start) == [[3, 100.0], [3, 80.0]]
    assert drawn("drawdown", curve.points(), curve.start) == [[3, -20.0]]
