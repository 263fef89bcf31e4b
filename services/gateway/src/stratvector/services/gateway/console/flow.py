"""flow: how much of each noun has come, and the newest orders and fills."""

from stratvector.services.gateway.console.markup import chip, empty, escaped, row, table
from stratvector.services.gateway.context import PortfolioContext
from stratvector.services.gateway.words import minute
from stratvector.trading.flow import read_by

SHOWN_MAX = 40
# At one close, execution tells fills before risk decides; a halt stands above its orders.
ORDER = {"fills": 0, "orders": 1, "halts": 2}
HEADS = (("Time (UTC)", False), ("Kind", False), ("Symbol", False), ("What happened", False))


def flow(context: PortfolioContext) -> str:
    """Counts in the order of the flow, then the newest happenings first."""
    counts = "".join(
        f'<span class="count">{chip(hop.noun)} <b data-testid="count-{hop.noun}">'
        f"{context.live.counts[hop.noun]:,}</b></span>"
        for hop in read_by("gateway")
        if hop.noun != "chapters"  # one says what the session is; it is nothing that flows
    )
    return f'<div class="counts">{counts}</div><div data-testid="events">{_newest(context)}</div>'


def _newest(context: PortfolioContext) -> str:
    # Lanes are read one by one: their happenings are put into the order of the closes here.
    ordered = sorted(context.live.happenings, key=lambda one: (one.close_time, ORDER[one.noun]))
    newest = ordered[: -SHOWN_MAX - 1 : -1]
    if not newest:
        return empty("No order yet: the models are warming up or hold what they have.")
    return table(
        "Flow of events",
        HEADS,
        (
            row(
                [
                    (f'<span class="time">{minute(one.close_time)}</span>', False),
                    (chip(one.noun), False),
                    (f"<b>{escaped(one.symbol)}</b>", False),
                    (escaped(one.text), False),
                ]
            )
            for one in newest
        ),
    )
