"""What may be said of the bars that a close has."""

from collections.abc import Mapping, Sequence

from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.rules import check_known, check_once
from stratvector.trading.unfit import Absurd
from stratvector.trading.used_bars import ABSENT, UsedBars


def check_named(bars: Mapping[str, str], late: Sequence[UsedBars]) -> None:
    """No message is named twice, and none that is late is called absent. Raises Absurd."""
    used = [message for message in bars.values() if message != ABSENT]
    check_once("message of bars", [*used, *(one.message_id for one in late)])
    for one in late:
        if one.message_id == ABSENT:
            raise Absurd(f"late bars of {one.universe} are called absent; a message must be named")


def check_named_of(bars: Mapping[str, str], late: Sequence[UsedBars], own: Own) -> None:
    """Universes are the portfolio's; in a replay nothing is absent or late, elsewhere not all.
    Raises Absurd.
    """
    check_known("universe", [*bars, *(one.universe for one in late)], own.universes)
    absent = [universe for universe, used in bars.items() if used == ABSENT]
    if own.has_deadlines:
        if bars and len(absent) == len(bars):
            raise Absurd(f"universes {', '.join(absent)} are absent, and no other one closes")
        return
    if absent or late:
        names = dict.fromkeys([*absent, *(one.universe for one in late)])
        raise Absurd(f"bars of {', '.join(names)} are called absent or late, in a replay")
