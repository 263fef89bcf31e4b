from stratvector.market.provenance import Provenance


def test_an_adjusted_series_of_survivors_says_both_in_every_report() -> None:
    caveats = Provenance("acme", adjusted=True, survivors=True, notes=("Two rows left out.",))
    total_return, survivors, note = caveats.caveats()
    assert "acme: prices are a total-return series" in total_return.sentence
    assert "the names are survivors, picked with hindsight" in survivors.sentence
    assert (note.code, note.sentence) == ("source_note", "Two rows left out.")


def test_raw_prices_need_no_caveat() -> None:
    assert Provenance("acme", adjusted=False).caveats() == ()
