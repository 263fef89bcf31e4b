"""The one table of hops: who produces which noun, where it travels, and who consumes it.

Learn this file and you know the system. `tests/architecture/test_flow_table.py` holds it against
the protos, the services and what they subscribe to, so it can't lie.

    risk ─chapters─▶ every other service
    market_data ─bars─▶ strategy ─signals─▶ risk ─orders─▶ execution ─▶ broker
         └──────bars──────────────────────▶ risk ◀─fills── execution
    ledger ◀─ bars, signals, orders, fills ─▶ positions
    drift ◀─ bars, signals          gateway ◀─ every noun          monte_carlo ◀─ risk asks
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hop:
    """One noun's way through the system.

    noun : the word used by module, proto file, stream, subject and docs.
    message : the protobuf message in `stratvector.contracts.v1` that travels.
    subject : pattern with the lane's keys in braces, `run` being two tokens; one subject is one
    lane with one active owner.
    producer : the only service that may publish the subject.
    consumers : the services that hear each message as it is stored, in the order of the flow.
    followers : the services that read the lane's log page by page, a moment later.
    """

    noun: str
    stream: str
    subject: str
    message: str
    producer: str
    consumers: tuple[str, ...]
    followers: tuple[str, ...] = ()

    @property
    def readers(self) -> tuple[str, ...]:
        """Every service that reads the noun."""
        return (*self.consumers, *self.followers)


FLOW: tuple[Hop, ...] = (
    Hop(
        noun="chapters",
        stream="CHAPTERS",
        subject="chapters.{run}.{portfolio}",
        message="Chapter",
        producer="risk",
        consumers=("strategy",),
        # a service works for the portfolios whose chapters it finds
        followers=("market_data", "execution", "ledger", "drift", "gateway"),
    ),
    Hop(
        noun="bars",
        stream="BARS",
        subject="bars.{run}.{universe}.{timeframe}",
        message="ClosedBars",
        producer="market_data",
        consumers=("strategy", "risk", "execution"),
        followers=("ledger", "drift", "gateway"),
    ),
    Hop(
        noun="signals",
        stream="SIGNALS",
        subject="signals.{run}.{portfolio}.{model}",
        message="Signals",
        producer="strategy",
        consumers=("risk",),
        followers=("ledger", "drift", "gateway"),
    ),
    Hop(
        noun="orders",
        stream="ORDERS",
        subject="orders.{run}.{portfolio}",
        message="Decision",
        producer="risk",
        # market_data reads how far decisions have come, so that bars run at most 64 closes ahead
        consumers=("execution", "market_data"),
        # strategy, which is as far ahead, looks whether a chapter has opened
        followers=("strategy", "ledger", "drift", "gateway"),
    ),
    Hop(
        noun="fills",
        stream="FILLS",
        subject="fills.{run}.{portfolio}.{account}",
        message="FillsReport",
        producer="execution",
        # execution itself looks into its other accounts' lanes, page by page
        consumers=("risk",),
        followers=("ledger", "gateway"),
    ),
    Hop(
        noun="positions",
        stream="POSITIONS",
        subject="positions.{run}.{portfolio}",
        message="Positions",
        producer="ledger",
        consumers=(),
        followers=("gateway",),
    ),
)

# Each writes a noun; together they are a session.
SERVICES: tuple[str, ...] = ("market_data", "strategy", "risk", "execution", "ledger")
# What they publish is computed with the engine, whose hash a chapter names.
COMPUTING: tuple[str, ...] = ("strategy", "risk", "execution")
# They follow the flow or are asked beside it, and write nothing into it.
COMPANIONS: tuple[str, ...] = ("monte_carlo", "drift", "research", "gateway")
HOUSE: tuple[str, ...] = (*SERVICES, *COMPANIONS)
BARS_AHEAD_MAX = 64


def hop(noun: str) -> Hop:
    """The hop of a noun. Raises KeyError for a word that is not in the table."""
    for candidate in FLOW:
        if candidate.noun == noun:
            return candidate
    raise KeyError(f"{noun!r} is not a noun of the flow: {[h.noun for h in FLOW]}")


def subject(noun: str, **keys: str) -> str:
    """The subject of one lane; of a portfolio's own, see `lanes`. Raises KeyError for a missing
    key.
    """
    return hop(noun).subject.format(**keys)


def stream_of(name: str) -> str:
    """The stream that stores a subject: the first token names the noun."""
    return hop(name.split(".", 1)[0]).stream


def stored_subject(name: str) -> str:
    """Where the bus publishes again what it has stored on a subject, for those that listen."""
    return f"stored.{name}"


def read_by(service: str) -> tuple[Hop, ...]:
    """The hops that a service reads, in the table's order."""
    return tuple(h for h in FLOW if service in h.readers)


def produced_by(service: str) -> tuple[Hop, ...]:
    """The hops that only this service may publish."""
    return tuple(h for h in FLOW if h.producer == service)
