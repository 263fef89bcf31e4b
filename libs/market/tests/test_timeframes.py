import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.market.timeframes import UnknownTimeframe, timeframe

MINUTE = 60_000_000_000
MINUTES_IN_A_DAY = 1_440


@pytest.mark.parametrize(
    ("text", "name", "minutes"),
    [
        ("1D", "1D", 1440), ("D1", "1D", 1440), ("24H", "1D", 1440), ("4H", "4H", 240),
        ("H4", "4H", 240), ("4h", "4H", 240), ("240M", "4H", 240), ("30M", "30M", 30),
        (" m15 ", "15M", 15), ("90M", "90M", 90),
    ],
)  # fmt: skip
def test_one_length_has_one_name_however_it_is_written(text: str, name: str, minutes: int) -> None:
    assert timeframe(text).name == name
    assert timeframe(text).nanoseconds == minutes * MINUTE


@pytest.mark.parametrize("text", ["", "4", "H", "4X", "0H", "5H", "7M", "2D", "1.5H", "-4H", "1W"])
def test_a_text_that_divides_no_day_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UnknownTimeframe, match="is unknown: write a number of minutes") as error:
        timeframe(text)
    assert error.value.text == text


@given(st.sampled_from([m for m in range(1, 1441) if MINUTES_IN_A_DAY % m == 0]))
def test_every_divisor_of_a_day_reads_back_by_its_own_name(minutes: int) -> None:
    frame = timeframe(f"{minutes}M")
    assert frame.nanoseconds == minutes * MINUTE
    assert timeframe(frame.name) == frame
    assert frame.is_daily == (minutes == MINUTES_IN_A_DAY)
