"""Every way to misconfigure is one sentence with file, key, value and rule."""

import pytest

from stratvector.config import BadConfig, load_session
from stratvector.market.instants import first_instant
from tests.sessions.small_configuration import ConfigFolder

SYSTEM, MODELS, UNIVERSES = "system.yaml", "models.yaml", "universes.yaml"

MISTAKES = {
    "the former band names what takes its place": (
        SYSTEM,
        "rebalance_band: 0.02",
        "no_trade_band: 0.005",
        "config/system.yaml: risk: no_trade_band is no longer read: rebalance_band (a part of what "
        "a symbol's models want or hold) and minimum_order_notional (base currency) take its place",
    ),
    "an unknown rule for cash": (
        SYSTEM,
        "rebalance_band: 0.02",
        "cash: strct",
        "config/system.yaml: risk.cash is 'strct'; it must be one of 'margin' or 'strict'",
    ),
    "an unknown key gets a suggestion": (
        SYSTEM,
        "mode: replay",
        "mod: replay",
        "config/system.yaml: key system.mod is unknown; did you mean mode?",
    ),
    "an unknown section gets a suggestion": (
        SYSTEM,
        "costs: {",
        "cost: {",
        "config/system.yaml: key cost is unknown; did you mean costs?",
    ),
    "an unknown key of a model names its place": (
        SYSTEM,
        "budget_fraction: 0.6",
        "budget: 0.6",
        "config/system.yaml: key models[0].budget is unknown; did you mean budget_fraction?",
    ),
    "an unknown mode": (
        SYSTEM,
        "mode: replay",
        "mode: fast",
        "config/system.yaml: system.mode is 'fast'; "
        "it must be one of 'backtest', 'replay', 'paper' or 'live'",
    ),
    "a stage that no model can have": (
        SYSTEM,
        "status: research",
        "status: banana",
        "config/system.yaml: models[0].status is 'banana'; "
        "it must be one of 'research', 'paper', 'candidate' or 'live'",
    ),
    "budgets beyond the whole without leverage": (
        SYSTEM,
        "budget_fraction: 0.4",
        "budget_fraction: 0.7",
        "config/system.yaml: the budget_fraction of the active models add up to 1.3 (0.6 + 0.7); "
        "more than 1 needs risk.max_leverage of at least as much, which is not given",
    ),
    "a word for the quality of data": (
        SYSTEM,
        "end: 2020-06-30",
        "end: 2020-06-30, data_quality: good",
        "config/system.yaml: session.data_quality is 'good'; "
        "it must be one of 'caveat' or 'strict'",
    ),
    "a ticker that YAML takes for false": (
        UNIVERSES,
        "symbols: [AAA, BBB]",
        "symbols: [AAA, NO]",
        "config/universes.yaml: line 4: NO is true or false to some readers of YAML and text to "
        'others: put it in quotes, "NO", or write true or false',
    ),
    "a ticker that YAML takes for a number": (
        UNIVERSES,
        "symbols: [AAA, BBB]",
        "symbols: [AAA, 600519]",
        "config/universes.yaml: universes.stocks.symbols[1] is 600519; "
        "it must be text: put it in quotes if it is meant as it stands",
    ),
    "cash in octal": (
        SYSTEM,
        "50000.00",
        "0100000",
        "config/system.yaml: line 2: 0100000 is one number to some readers of YAML, and another or "
        'text to others: put it in quotes, "0100000", or write the number in plain digits',
    ),
    "a date that no calendar has": (
        SYSTEM,
        "start: 2020-02-03",
        "start: 2020-02-30",
        "config/system.yaml: line 3: 2020-02-30 is no date: day is out of range for month",
    ),
    "a symbol twice": (
        UNIVERSES,
        "symbols: [AAA, BBB]",
        "symbols: [AAA, ' AAA ']",
        "config/system.yaml: symbol 'AAA' is configured twice in portfolio small",
    ),
    "a budget above the whole": (
        SYSTEM,
        "budget_fraction: 0.6",
        "budget_fraction: 1.6",
        "config/system.yaml: models[0].budget_fraction is 1.6; it must be at most 1",
    ),
    "another fate of what a removed model holds": (
        SYSTEM,
        "costs: {",
        "on_removal: {old: keep}\ncosts: {",
        "config/system.yaml: on_removal.old is 'keep'; it must be one of 'sell' or 'manual'",
    ),
    "no money": (
        SYSTEM,
        "50000.00",
        "0",
        "config/system.yaml: system.backtest_initial_nav is 0; it must be above 0",
    ),
    "a word for a number": (
        SYSTEM,
        "per_asset_cap: 0.40",
        "per_asset_cap: much",
        "config/system.yaml: risk.per_asset_cap is 'much'; it must be a number",
    ),
    "not a number at all": (
        SYSTEM,
        "per_asset_cap: 0.40",
        "per_asset_cap: .nan",
        "config/system.yaml: risk.per_asset_cap is nan; it must be a finite number",
    ),
    "caps in the wrong order": (
        SYSTEM,
        "per_asset_cap: 0.40",
        "per_symbol_cap: 0.50",
        "config/system.yaml: risk: per_symbol_cap is 0.5 and per_asset_cap is 0.4; "
        "per_symbol_cap <= per_asset_cap must hold",
    ),
    "a stop that nobody would enforce": (
        SYSTEM,
        "per_asset_cap: 0.40",
        "stop_loss: 0.05",
        "config/system.yaml: risk: stop_loss is 0.05, but protective stops cannot be configured "
        "yet: remove the key",
    ),
    "a profile that is not there": (
        SYSTEM,
        "per_asset_cap: 0.40",
        "profile: brave",
        "config/risk/brave.yaml: there is no such file; config/system.yaml: risk.profile is "
        "'brave'",
    ),
    "a model that no file describes": (
        SYSTEM,
        "name: EquityTrendModel_v1",
        "name: EquityTrendModel_v2",
        "config/system.yaml: models[0].name is 'EquityTrendModel_v2'; models.yaml does not "
        "describe it; did you mean EquityTrendModel_v1?",
    ),
    "a model listed twice": (
        SYSTEM,
        "name: CryptoMomentumModel_v1",
        "name: EquityTrendModel_v1",
        "config/system.yaml: models[1].name is 'EquityTrendModel_v1'; the model is listed twice",
    ),
    "another version than the installed one": (
        SYSTEM,
        'version: "1.0.0"',
        'version: "2.0.0"',
        "config/system.yaml: models[0].version is '2.0.0'; "
        "the installed EquityTrendModel_v1 is 1.0.0",
    ),
    "a start that is no date": (
        SYSTEM,
        "start: 2020-02-03",
        "start: soon",
        "config/system.yaml: session.start is 'soon'; write 2018-01-31 or 2018-01-31T16:00Z",
    ),
    "an end before the start": (
        SYSTEM,
        "end: 2020-06-30",
        "end: 2020-01-30",
        "config/system.yaml: session.end is '2020-01-30'; "
        "it must not be before the start, 2020-02-03",
    ),
    "a timeframe that divides no day": (
        UNIVERSES,
        "timeframe: 1D",
        "timeframe: 7H",
        "config/universes.yaml: universes.stocks: timeframe '7H' is unknown",
    ),
    "a universe that is not there": (
        MODELS,
        "universe: stocks",
        "universe: stock",
        "config/models.yaml: models.EquityTrendModel_v1.universe is 'stock'; "
        "universes.yaml does not hold it; did you mean stocks?",
    ),
    "a model for another class": (
        MODELS,
        "asset_classes: [equity]",
        "asset_classes: [bond]",
        "config/models.yaml: models.EquityTrendModel_v1.asset_classes is ['bond']; "
        "universe stocks holds equity",
    ),
    "a parameter that the model has not": (
        MODELS,
        "slow_ma_period",
        "slow_period",
        "config/models.yaml: models.EquityTrendModel_v1: model EquityTrendModel_v1 has no "
        "parameter 'slow_period'",
    ),
    "a parameter that breaks the model's rule": (
        MODELS,
        "short_lookback: 3",
        "short_lookback: 9",
        "config/models.yaml: models.CryptoMomentumModel_v1: model CryptoMomentumModel_v1 is "
        "impossible: short_lookback 9 must be below long_lookback 8",
    ),
    "a calendar that is unknown": (
        UNIVERSES,
        "calendar: XNYS",
        "calendar: XNOWHERE",
        "config/universes.yaml: universes.stocks: calendar 'XNOWHERE' is unknown",
    ),
    "a source that is not there": (
        UNIVERSES,
        "source: prices.csv",
        "source: gone.csv",
        "config/universes.yaml: universes.stocks from gone.csv: gone.csv: there is no such file",
    ),
    "symbols that the file has not": (
        UNIVERSES,
        "symbols: [AAA, BBB]",
        "symbols: [AAA, ZZZ]",
        "config/universes.yaml: universes.stocks from prices.csv: ",
    ),
    "an asset of no symbol": (
        UNIVERSES,
        "assets: {CCC-USD",
        "assets: {DDD-USD",
        "config/universes.yaml: universes.coins: assets names DDD-USD, which is not one of CCC-USD",
    ),
    "a list for a table": (
        UNIVERSES,
        "universes:\n  stocks:",
        "universes:\n  other: []\n  stocks:",
        "config/universes.yaml: universes.other is []; it must be a table of keys",
    ),
    "text that is not YAML": (
        SYSTEM,
        "session: {",
        "session: {[",
        "config/system.yaml: line ",
    ),
    "a key that stands twice": (
        SYSTEM,
        "costs: {",
        "risk: {}\ncosts: {",
        "config/system.yaml: line 8: key risk stands twice",
    ),
}


def refusal(start: str | None = None, end: str | None = None) -> str:
    with pytest.raises(BadConfig) as refused:
        load_session("config/system.yaml", start, end)
    return str(refused.value)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(place: ConfigFolder, mistake: str) -> None:
    name, old, new, sentence = MISTAKES[mistake]
    place.change(name, old, new)
    assert refusal().startswith(sentence)
    assert "\n" not in refusal()


@pytest.mark.parametrize("name", [MODELS, UNIVERSES])
def test_a_file_that_is_missing_is_named(place: ConfigFolder, name: str) -> None:
    (place.config / name).unlink()
    assert refusal() == f"config/{name}: there is no such file; it belongs beside system.yaml"


def test_a_missing_configuration_says_how_to_give_one(place: ConfigFolder) -> None:
    (place.config / SYSTEM).unlink()
    missing = "config/system.yaml: there is no such file; give one with --config FILE"
    assert refusal() == missing


def test_a_wrong_option_of_the_command_line_is_named(place: ConfigFolder) -> None:
    assert refusal(start="x").startswith("command line: --start is 'x'; write 2018-01-31")
    early = refusal(end="2019-01-01")
    assert "command line: --end is '2019-01-01'; it must not be before the start" in early


def test_a_range_without_bars_tells_what_there_is(place: ConfigFolder) -> None:
    told = refusal("2024-01-01", "2024-02-01")
    assert "has no bar from 2024-01-01" in told
    assert "its bars run from 2020-01-01" in told


def test_without_a_session_section_the_range_must_be_given(place: ConfigFolder) -> None:
    place.change(SYSTEM, "session: {start: 2020-02-03, end: 2020-06-30}\n", "")
    assert "session.start is missing; give it there, or --start D" in refusal()
    session = load_session("config/system.yaml", "2020-03-02", "2020-06-30")
    assert session.start == first_instant("2020-03-02")


def test_no_active_model_is_refused(place: ConfigFolder) -> None:
    for universe in ("stocks", "coins"):
        place.change(MODELS, f"universe: {universe}", f"active: false\n    universe: {universe}")
    assert "no model of the portfolio is active" in refusal()


def test_a_portfolio_needs_a_model(place: ConfigFolder) -> None:
    (place.config / SYSTEM).write_text("models: []")
    assert refusal() == "config/system.yaml: models is []; it must have at least 1 entry"


def test_a_missing_key_is_named(place: ConfigFolder) -> None:
    place.change(SYSTEM, ", budget_fraction: 0.6", "")
    sentence = "config/system.yaml: models[0].budget_fraction is missing; it must be given"
    assert refusal() == sentence
