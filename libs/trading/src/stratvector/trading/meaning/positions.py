"""What positions may say."""

from typing import Final

from stratvector.trading.ledger import Positions
from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.rules import check_close, check_known, check_lots, check_same
from stratvector.trading.unfit import Absurd

MONEY_MAX: Final = 10**15


def check_positions(held: Positions) -> None:
    """Lots are not 0, and equity lies on the side of cash on which positions put it. Raises
    Absurd.
    """
    check_close("close_time", held.close_time)
    for symbol, lots in held.positions.items():
        check_lots(f"the position in {symbol or 'a symbol without a name'}", lots)
    for what, money in (("cash", held.cash), ("equity", held.equity)):
        if not -MONEY_MAX <= money <= MONEY_MAX:
            raise Absurd(f"{what} is {money:f}; |{what}| <= {MONEY_MAX:g} must hold")
    sides = {lots > 0 for lots in held.positions.values()}
    if (held.equity > held.cash and True not in sides) or (
        held.equity < held.cash and False not in sides
    ):
        raise Absurd(
            f"equity is {held.equity:f} with cash {held.cash:f}, which the positions can't explain"
        )


def check_positions_of(held: Positions, own: Own, newest: int) -> None:
    """The portfolio's own positions, of a close after `newest` (ns UTC). Raises Absurd."""
    check_same("portfolio", held.portfolio, own.portfolio)
    check_known("symbol", held.positions, own.lot_sizes)
    if held.close_time <= newest:
        raise Absurd(
            f"positions are of close {held.close_time}, but those before were of {newest}; "
            "close times must increase"
        )
