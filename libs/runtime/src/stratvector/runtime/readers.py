"""readers: the flow's inboxes with their contents decoded, asked close by close.

Risk, execution and ledger walk the same schedule; each asks for what belongs to one close and gets
exactly that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from stratvector.contracts.codecs import (
    decode_closed_bars,
    decode_decision,
    decode_fills_report,
    decode_signals,
)
from stratvector.runtime.inbox import Inbox
from stratvector.runtime.ports import Ports
from stratvector.trading.bars import ClosedBars
from stratvector.trading.fills import FillsReport
from stratvector.trading.flow import subject
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio, Universe
from stratvector.trading.signals import Signals

Noun = TypeVar("Noun")


@dataclass(frozen=True)
class Received(Generic[Noun]):
    """A decoded message with its id and its place in the log."""

    noun: Noun
    id: str
    sequence: int


class Reader(Generic[Noun]):
    """An inbox that decodes."""

    def __init__(
        self, ports: Ports, service: str, lane: str, decode: Callable[[bytes], Noun]
    ) -> None:
        durable = f"{service}-{lane}".replace(".", "-")
        self._inbox = Inbox(ports, durable, lane)
        self._decode = decode

    async def next(self) -> Received[Noun]:
        """The next message of the lane."""
        stored = await self._inbox.next()
        return Received(self._decode(stored.message.payload), stored.message.id, stored.sequence)


class BarsReader:
    """The `bars` lanes of a portfolio's universes."""

    def __init__(self, ports: Ports, service: str, universes: Sequence[Universe]) -> None:
        self._readers = {
            u.name: Reader(
                ports,
                service,
                subject("bars", universe=u.name, timeframe=u.timeframe),
                decode_closed_bars,
            )
            for u in universes
        }

    async def at(self, close_time: int, universes: Sequence[str]) -> list[Received[ClosedBars]]:
        """The cross-sections of the universes that close at a time; earlier ones are warm-up and
        passed over.
        """
        return [await self._at(close_time, universe) for universe in universes]

    async def _at(self, close_time: int, universe: str) -> Received[ClosedBars]:
        received = await self._readers[universe].next()
        while received.noun.close_time < close_time:
            received = await self._readers[universe].next()
        return received


def signals_reader(ports: Ports, service: str, portfolio: str, model: str) -> Reader[Signals]:
    """One model's `signals` lane."""
    return Reader(
        ports, service, subject("signals", portfolio=portfolio, model=model), decode_signals
    )


def orders_reader(ports: Ports, service: str, portfolio: Portfolio) -> Reader[Decision]:
    """The portfolio's `orders` lane."""
    return Reader(ports, service, account_lane("orders", portfolio), decode_decision)


class FillsReader:
    """The portfolio's `fills` lane, read up to each close."""

    def __init__(self, ports: Ports, service: str, portfolio: Portfolio) -> None:
        self._reader = Reader(ports, service, account_lane("fills", portfolio), decode_fills_report)

    async def until(self, close_time: int) -> list[Received[FillsReport]]:
        """Every report up to the one that closes `close_time`."""
        reports = [await self._reader.next()]
        while reports[-1].noun.closed != close_time:
            reports.append(await self._reader.next())
        return reports


def account_lane(noun: str, portfolio: Portfolio) -> str:
    """The subject of the portfolio's account, of orders or fills."""
    return subject(noun, portfolio=portfolio.name, account=portfolio.account)
