"""chooser: which portfolio in which run the page shows; nothing where there is one alone."""

from urllib.parse import urlencode

from stratvector.runtime.served import PortfolioRun, Served
from stratvector.services.gateway.console.markup import escaped
from stratvector.services.gateway.context import PortfolioContext


def chooser(portfolios: Served[PortfolioContext], shown: PortfolioRun | None) -> str:
    """A link to each. shown : the one whose page it is, None on a page of none."""
    known = portfolios.names()
    if len(known) <= (shown is not None):
        return ""
    links = "".join(_link(one, one == shown) for one in known)
    return f'<nav class="chooser" aria-label="Portfolios" data-testid="chooser">{links}</nav>'


def _link(one: PortfolioRun, is_shown: bool) -> str:
    asked = urlencode({"portfolio": one.portfolio, "run": one.run})
    current = ' aria-current="page"' if is_shown else ""
    return f'<a href="/?{escaped(asked)}"{current}>{escaped(one)}</a>'
