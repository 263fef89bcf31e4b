"""The report: whole without a script, nothing that a name says is taken for markup."""

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from stratvector.drift import DriftRules, Feature, FeatureDrift, ModelDrift, Span
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.served import PortfolioRun
from stratvector.services.drift.adapters.report_document import report_document
from stratvector.services.drift.adapters.report_page import report_page
from stratvector.services.drift.adapters.rules_file import read_rules
from stratvector.services.drift.adapters.score_chart import score_chart
from stratvector.services.drift.board import HISTORY_MAX, Board

RULES = DriftRules()
CONFIG = Path(__file__).parents[3] / "config" / "drift.yaml"
DAY = 86_400 * 10**9
NASTY = "<script>alert('x')</script>&\"m\""
VOID = {"meta", "link", "line", "polyline", "br"}


class Tags(HTMLParser):
    """Every tag must be closed by its own end; text and names are kept."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def drift(model: str, close_time: int, score: float, reason: str = "") -> ModelDrift:
    spans = (Span(DAY, 9 * DAY, 120), Span(10 * DAY, 19 * DAY, 100))
    features = tuple(FeatureDrift(f, *spans, 0.25, 0.125, 0.0312, score) for f in Feature)
    return ModelDrift(model, close_time, score, reason, features)


def board(*drifts: ModelDrift) -> Board:
    found = Board(tuple(dict.fromkeys(one.model for one in drifts)))
    for one in drifts:
        found.put(one)
    return found


def page(found: Board, portfolio: str = "main") -> str:
    whose = PortfolioRun("replay.1", portfolio)
    return report_page(RULES, [(whose, found)]).decode()


@pytest.mark.parametrize(
    ("score", "band"), [(0.1, "good"), (0.5, "warning"), (0.95, "critical"), (math.nan, "no score")]
)
def test_a_models_table_shows_its_score_its_band_and_what_was_compared(
    score: float, band: str
) -> None:
    reason = "there are 3 signals; 200 are needed" if math.isnan(score) else ""
    seen = Tags(page(board(drift("trend", 20 * DAY, score, reason))))
    assert band in seen.text
    assert (f"No score yet: {reason}." in seen.text) == bool(reason)
    for told in ("trend", "volatility", "0.250", "0.125", "0.031", "120 values", "1970-01-20T"):
        assert told in seen.text


def test_names_are_shown_as_they_are_and_never_run() -> None:
    seen = Tags(page(board(drift(NASTY, DAY, 0.2)), portfolio=NASTY))
    assert "script" not in seen.seen
    assert seen.text.count(NASTY) == 4  # title, heading, portfolio, model


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page(board(drift("a", DAY, 0.1), drift("a", 2 * DAY, 0.2)))
    assert "<script" not in text
    assert re.findall(r'(?:src|href)="([^"]*)"', text) == ["data:,", "report.json"]
    assert "url(" not in text


def test_before_the_first_check_the_report_says_so_in_words() -> None:
    waiting = Board(("trend", "reversion"))
    assert Tags(page(waiting)).text.count("No close of this model was checked yet.") == 2
    assert "This portfolio has no models." in Tags(page(Board(()))).text
    assert "No portfolio has begun yet." in Tags(report_page(RULES, []).decode()).text
    told = report_document(RULES, [(PortfolioRun("replay.1", "main"), waiting)])
    (portfolio,) = json.loads(told)["portfolios"]
    assert (portfolio["portfolio"], portfolio["run"]) == ("main", "replay.1")
    models = portfolio["models"]
    assert [one["reason"] for one in models] == ["no check yet"] * 2
    assert [one["score"] for one in models] == [None, None]


def test_the_chart_has_a_gap_where_there_is_no_score() -> None:
    scores = [0.1, 0.2, math.nan, 0.3, 0.9]
    chart = score_chart([(n * DAY, score) for n, score in enumerate(scores)], RULES)
    lines = re.findall(r'<polyline points="([^"]+)"', chart)
    assert [len(line.split()) for line in lines] == [2, 2]
    first, last = lines[0].split()[0], lines[1].split()[1]
    assert first.startswith("0.0,")
    assert last.startswith("640.0,")
    assert float(last.split(",")[1]) < float(first.split(",")[1])  # a higher score stands higher
    assert "newest 0.90" in chart


@pytest.mark.parametrize("history", [[], [(1, 0.5)], [(1, math.nan), (2, math.nan), (3, 0.1)]])
def test_no_chart_is_drawn_of_fewer_than_two_scores(history: list[tuple[int, float]]) -> None:
    assert score_chart(history, RULES) == ""


def test_the_history_is_bounded() -> None:
    long = board(*(drift("a", n, 0.5) for n in range(HISTORY_MAX + 10)))
    history = long.record("a").history
    assert (len(history), history[0][0], history[-1][0]) == (HISTORY_MAX, 10, HISTORY_MAX + 9)
    assert long.checks == HISTORY_MAX + 10


def test_the_shipped_rules_are_the_defaults_and_all_of_them() -> None:
    assert read_rules(CONFIG) == DriftRules() == read_rules(None)
    keys = re.findall(r"^(\w+):", CONFIG.read_text(), re.M)
    assert tuple(keys) == DriftRules.names()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("every_hour: 6", "there is no rule every_hour; the nearest is every_hours"),
        ("every_hours: 6\nevery_hours: 7", "line 2: key every_hours stands twice"),
        ("bins: 99", "bins is 99; it must be a whole number from 2 to 20"),
        ("- 1", "the file must hold keys and values"),
    ],
)
def test_rules_that_can_not_be_followed_are_refused_in_one_sentence(
    text: str, sentence: str, tmp_path: Path
) -> None:
    file = tmp_path / "drift.yaml"
    file.write_text(text)
    with pytest.raises(CannotStart) as refused:
        read_rules(file)
    assert str(refused.value).startswith(f"{file}: {sentence}")


def test_a_rules_file_that_is_not_there_is_told() -> None:
    with pytest.raises(CannotStart, match=r"nowhere\.yaml: no such"):
        read_rules(Path("nowhere.yaml"))
