from stratvector.market.provenance import Provenance


def test_an_adjusted_series_of_survivors_says_both_in_every_report() -> None:
    caveats = Provenance("acme", adjusted=True, survivors=True, notes=("Two rows left out.",))
    total_return, survivors, note = caveats.caveats()
    assert "acme: prices are a total-return series" in total_return
    assert "the names are survivors, picked with hindsight" in survivors
    assert note == "Two rows left out."


def test_raw_prices_need_no_caveat() -> None:
    assert Provenance("acme", adjusted=False).caveats() == ()
