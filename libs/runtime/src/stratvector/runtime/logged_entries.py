"""logged_entries: the ledger's fold of the closes of a logged session."""

from collections.abc import Mapping, Sequence

from stratvector.trading.carried import Carried
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.ledger_fold import LedgerFold
from stratvector.trading.logged import Halt, LoggedChapter, LoggedClose
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.unfit import UnfitNoun


def entries_of(
    portfolio: Portfolio,
    carried: Carried | None,
    chapters: Sequence[LoggedChapter],
    closes: Sequence[LoggedClose],
    lanes: Mapping[str, str],
) -> tuple[tuple[LedgerEntry, ...], tuple[Halt, ...]]:
    """The entries up to an execution that the ledger refuses, and that as a halt.

    portfolio, carried : of the chapter that the closes begin in. chapters : that opened after it.
    lanes : by account that of its fills.
    """
    fold, entries = LedgerFold(portfolio, carried), list[LedgerEntry]()
    begins = {one.noun.carried.close_time: one for one in chapters if one.noun.carried}
    for close in closes:
        signals = [logged.noun for logged in close.signals.values()]
        try:
            entry = fold.fold(close.events, close.sections, signals, close.decision.noun)
        except UnfitNoun as error:
            refused = close.reports[-1]
            lane = lanes[refused.noun.account]
            halt = Halt("fills", lane, close.close_time, refused.id, str(error))
            return tuple(entries), (halt,)
        entries.append(entry)
        if (chapter := begins.get(close.close_time)) is not None:
            fold = LedgerFold(chapter.portfolio, chapter.noun.carried)
    return tuple(entries), ()
