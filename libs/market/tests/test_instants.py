import pytest

from stratvector.market.instants import UnknownInstant, first_instant, last_instant
from stratvector.trading.timestamps import utc_text


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2018-01-31", "2018-01-31T00:00:00Z", "2018-02-01T00:00:00Z"),
        ("2018-01-31T16:00", "2018-01-31T16:00:00Z", "2018-01-31T16:00:00Z"),
        ("2018-01-31T16:00Z", "2018-01-31T16:00:00Z", "2018-01-31T16:00:00Z"),
        ("2018-01-31 16:00:00.000001-05:00", "2018-01-31T21:00:00.000001Z",
         "2018-01-31T21:00:00.000001Z"),
        ("1969-12-31", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
    ],
)  # fmt: skip
def test_a_date_spans_its_whole_day_and_a_time_is_one_instant(
    text: str, first: str, last: str
) -> None:
    assert utc_text(first_instant(text)) == first
    assert utc_text(last_instant(text)) == last


@pytest.mark.parametrize(
    "text",
    ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00+14:00",
     "1849-12-31", "2200-01-01"],
)  # fmt: skip
def test_a_time_that_no_bar_can_have_is_refused_instead_of_wrapped(text: str) -> None:
    for parse in (first_instant, last_instant):
        with pytest.raises(
            UnknownInstant, match="is out of range: times lie within the years 1850 to 2199"
        ):
            parse(text)
    assert utc_text(last_instant("2199-12-31")) == "2200-01-01T00:00:00Z"
    assert utc_text(first_instant("1850-01-01")) == "1850-01-01T00:00:00Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2018-02-30", "31.01.2018"])
def test_a_text_that_is_no_date_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UnknownInstant, match="is neither a date nor a time: write 2018-01-31"):
        last_instant(text)
