"""config/: the names and defaults that users know, and what the sample says of its data."""

from pathlib import Path

import pytest
import yaml

from stratvector.config import load_session, read_configuration
from stratvector.config.configuration import Configuration
from stratvector.strategies import MODELS

CONFIG = Path(__file__).parents[3] / "config"

KNOWN_PARAMETERS = {
    "EquityTrendModel_v1": {
        "slow_ma_period": 200,
        "momentum_lookback_days": 60,
        "exit_ma_period": 50,
        "equal_weight": True,
        "max_positions": 2,
    },
    "IndexMeanReversionModel_v1": {
        "rsi_period": 2,
        "rsi_oversold": 10,
        "rsi_overbought": 90,
        "bb_period": 20,
    },
    "CryptoMomentumModel_v1": {"short_lookback": 30, "long_lookback": 60, "rebalance_days": 7},
}


@pytest.fixture
def shipped() -> Configuration:
    return read_configuration(CONFIG / "system.yaml")


def test_the_system_file_holds_the_known_keys_and_values() -> None:
    document = yaml.safe_load((CONFIG / "system.yaml").read_text())
    assert document["system"]["mode"] == "replay"
    assert document["system"]["backtest_initial_nav"] == 100_000.00
    assert document["system"]["timeframe"] == "H4"
    for model in document["models"]:
        assert set(model) == {"name", "version", "status", "budget_fraction"}
        assert model["version"] == "1.0.0"
    assert document["risk"] == {
        "per_asset_cap": 0.40,
        "crypto_class_cap": 0.20,
        "max_leverage": 1.2,
        "drawdown_trigger": 0.15,
        "drawdown_halt": 0.20,
        "derisking_factor": 0.50,
        "rebalance_band": 0.02,
        "minimum_order_notional": 10.0,
    }


def test_the_models_file_shows_every_parameter_with_its_default(shipped: Configuration) -> None:
    described = shipped.models.models
    assert {name: m.parameters for name, m in described.items()} == KNOWN_PARAMETERS
    for name, parameters in KNOWN_PARAMETERS.items():
        defaults = MODELS[name]()
        assert {key: getattr(defaults, key) for key in parameters} == parameters


def test_the_sample_session_runs_under_the_multi_model_profile(shipped: Configuration) -> None:
    profile = yaml.safe_load((CONFIG / "risk" / "multi_model.yaml").read_text())
    assert shipped.risk.model_dump(include=set(profile)) == profile
    assert shipped.risk.invested_cap is None


@pytest.mark.parametrize(("profile", "daily_loss"), [("moderate", 0.05), ("conservative", 0.02)])
def test_the_cautious_profiles_hold_the_known_limits(
    profile: str, daily_loss: float, tmp_path: Path
) -> None:
    for path in CONFIG.rglob("*.yaml"):
        copy = tmp_path / path.relative_to(CONFIG)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text())
    system = tmp_path / "system.yaml"
    before, _, rest = system.read_text().partition("risk:\n")
    costs = rest[rest.index("costs:") :]
    system.write_text(f"{before}risk: {{profile: {profile}}}\n\n{costs}")
    limits = read_configuration(system).risk.limits({"equity", "crypto"})
    assert (limits.position, limits.symbol, limits.invested) == (0.10, 0.15, 0.80)
    assert limits.daily_loss == daily_loss


def test_the_sample_session_says_that_its_equities_are_a_total_return_series() -> None:
    session = load_session(CONFIG / "system.yaml", "2018-01-02", "2018-01-10")
    assert any("total-return series" in c.sentence for c in session.caveats)
    assert any("survivors" in c.sentence for c in session.caveats)
