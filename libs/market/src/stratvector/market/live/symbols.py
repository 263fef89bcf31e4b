"""The project's symbols and a venue's: "BTC-USD" is the pair that ccxt calls "BTC/USD"."""

from collections.abc import Collection
from difflib import get_close_matches


class UnknownPair(ValueError):
    """A symbol that names no spot pair of the venue."""

    def __init__(self, venue: str, symbol: str, nearest: str | None) -> None:
        self.venue, self.symbol, self.nearest = venue, symbol, nearest
        hint = f"the nearest that it knows is {nearest}" if nearest else "it knows none like it"
        super().__init__(f"{venue} trades no {symbol!r}: {hint}")


def unified(venue: str, symbol: str, known: Collection[str]) -> str:
    """The unified symbol of "BASE-QUOTE" (or "BASE/QUOTE").

    known : the venue's unified spot symbols. A quote is never replaced: BTC-USD is not BTC-USDT,
    though a document may take USDT as USD. Raises UnknownPair.
    """
    wanted = symbol.replace("-", "/").upper()
    if wanted in known:
        return wanted
    # The base decides first: of BTC/USD's neighbours, BTC/USDT is nearer than BCH/USD.
    base = wanted.partition("/")[0] + "/"
    same_base = [name for name in known if name.startswith(base)]
    near = get_close_matches(
        wanted, same_base or sorted(known), n=1, cutoff=0.0 if same_base else 0.6
    )
    raise UnknownPair(venue, symbol, near[0].replace("/", "-") if near else None)
