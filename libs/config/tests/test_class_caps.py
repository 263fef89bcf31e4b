"""Class caps of system.yaml against the classes of universes.yaml: none is without effect."""

import pytest

from stratvector.config import BadConfig, Configuration, read_configuration
from tests.sessions.small_configuration import ConfigFolder

SYSTEM, MODELS, UNIVERSES = "system.yaml", "models.yaml", "universes.yaml"
LIMITS = "risk: {per_asset_cap: 0.40"
ONLY_STOCKS = ("asset_class: crypto", "asset_class: equity")

REFUSED = {
    "a class that nobody holds": (
        [(SYSTEM, LIMITS, f"{LIMITS}, class_caps: {{equty: 0.2}}")],
        "config/system.yaml: risk.class_caps.equty is 0.2; no universe holds asset class equty; "
        "did you mean equity?",
    ),
    "a class in another case": (
        [(SYSTEM, LIMITS, f"{LIMITS}, class_caps: {{Equity: 0.2}}")],
        "config/system.yaml: risk.class_caps.Equity is 0.2; no universe holds asset class Equity; "
        "did you mean equity?",
    ),
    "a crypto cap without crypto": (
        [
            (SYSTEM, LIMITS, f"{LIMITS}, crypto_class_cap: 0.1"),
            (UNIVERSES, *ONLY_STOCKS),
            (MODELS, "[crypto]", "[equity]"),
        ],
        "config/system.yaml: risk.crypto_class_cap is 0.1; no universe holds asset class crypto; "
        "there are equity",
    ),
    "crypto in another case": (
        [
            (UNIVERSES, "asset_class: crypto", "asset_class: Crypto"),
            (MODELS, "[crypto]", "[Crypto]"),
        ],
        "config/universes.yaml: universes.coins.asset_class is 'Crypto'; crypto_class_cap caps "
        "crypto alone: write crypto, or give risk.class_caps.Crypto or crypto_class_cap: null",
    ),
    "crypto by another name": (
        [
            (UNIVERSES, "asset_class: crypto", "asset_class: cryptos"),
            (MODELS, "[crypto]", "[cryptos]"),
        ],
        "config/universes.yaml: universes.coins.asset_class is 'cryptos'; crypto_class_cap caps "
        "crypto alone: write crypto, or give risk.class_caps.cryptos or crypto_class_cap: null",
    ),
    "a cap below nothing": (
        [(SYSTEM, LIMITS, f"{LIMITS}, class_caps: {{equity: -1}}")],
        "config/system.yaml: risk.class_caps.equity is -1; it must be above 0",
    ),
    "a cap that is no number": (
        [(SYSTEM, LIMITS, f"{LIMITS}, class_caps: {{equity: .nan}}")],
        "config/system.yaml: risk.class_caps.equity is nan; it must be",
    ),
    "yes for a cap": (
        [(SYSTEM, LIMITS, "risk: {per_asset_cap: true")],
        "config/system.yaml: risk.per_asset_cap is True; it must be a number",
    ),
    "yes for a cost": (
        [(SYSTEM, "commission: 0.001", "commission: true")],
        "config/system.yaml: costs.commission is True; it must be a number",
    ),
}


def read(place: ConfigFolder, *changes: tuple[str, str, str]) -> Configuration:
    for name, old, new in changes:
        place.change(name, old, new)
    return read_configuration("config/system.yaml")


@pytest.mark.parametrize("mistake", REFUSED)
def test_a_cap_that_nothing_is_under_is_refused_in_one_sentence(
    place: ConfigFolder, mistake: str
) -> None:
    changes, sentence = REFUSED[mistake]
    with pytest.raises(BadConfig) as refused:
        read(place, *changes)
    assert str(refused.value).startswith(sentence)


def caps(configuration: Configuration) -> dict[str, float | None]:
    held = {u.asset_class for u in configuration.traded_universes.values()}
    return configuration.risk.limits(held).class_caps


def test_the_default_cap_of_crypto_counts_where_crypto_is_and_needs_none(
    place: ConfigFolder,
) -> None:
    assert caps(read(place)) == {"crypto": 0.2}
    assert caps(read(place, (UNIVERSES, *ONLY_STOCKS), (MODELS, "[crypto]", "[equity]"))) == {}


def test_a_profiles_cap_of_crypto_needs_none_either(place: ConfigFolder) -> None:
    (place.config / "risk").mkdir()
    (place.config / "risk" / "calm.yaml").write_text("crypto_class_cap: 0.1\n")
    assert caps(read(place, (SYSTEM, LIMITS, "risk: {profile: calm"))) == {"crypto": 0.1}
    assert caps(read(place, (UNIVERSES, *ONLY_STOCKS), (MODELS, "[crypto]", "[equity]"))) == {}


def test_a_class_that_is_configured_but_not_traded_keeps_its_cap_for_later(
    place: ConfigFolder,
) -> None:
    given = (SYSTEM, LIMITS, f"{LIMITS}, crypto_class_cap: 0.1, class_caps: {{equity: 0.9}}")
    idle = (MODELS, "universe: coins", "active: false\n    universe: coins")
    assert caps(read(place, given, idle)) == {"equity": 0.9}


def test_a_class_near_crypto_may_have_a_cap_of_its_own_or_none_by_choice(
    place: ConfigFolder,
) -> None:
    own = (SYSTEM, LIMITS, f"{LIMITS}, class_caps: {{crypto_perpetual: 0.1}}")
    renamed = (
        (UNIVERSES, "asset_class: crypto", "asset_class: crypto_perpetual"),
        (MODELS, "[crypto]", "[crypto_perpetual]"),
    )
    assert caps(read(place, own, *renamed)) == {"crypto_perpetual": 0.1}
    none = (SYSTEM, "class_caps: {crypto_perpetual: 0.1}", "crypto_class_cap: null")
    assert caps(read(place, none)) == {}
