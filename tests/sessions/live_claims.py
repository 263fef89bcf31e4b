"""What must hold of portfolios over live feeds, whatever changed and whatever befell anybody."""

from collections.abc import Iterator
from dataclasses import dataclass

from stratvector.contracts.codecs import decode_closed_bars
from stratvector.market.timeframes import timeframe
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Kind
from stratvector.trading.bars import ClosedBars
from stratvector.trading.lanes import bars_lane
from stratvector.trading.logged import SessionLog
from stratvector.trading.parity import check
from stratvector.trading.portfolio import Portfolio, Universe
from tests.sessions.live_flow import WARMUP, LivePlay
from tests.sessions.scripted_feed import close_at


@dataclass(frozen=True)
class Stretch:
    """A universe as one chapter has it. after : the last close before the chapter. until : its own
    last one, both ns UTC. step : ns from close to close.
    """

    universe: Universe
    lane: str
    after: int
    until: int

    @property
    def step(self) -> int:
        return timeframe(self.universe.timeframe).nanoseconds

    def closes(self) -> list[int]:
        """All that it has in the chapter."""
        return list(range((self.after // self.step + 1) * self.step, self.until + 1, self.step))

    def told(self) -> str:
        """Universe, version, closes and symbols, those that are closing apart."""
        universe = self.universe
        stay = "".join(one for one in universe.symbols if one not in universe.closing)
        closing = f" without {''.join(universe.closing)}" if universe.closing else ""
        closes = minutes(self.closes())
        span = f"{closes[0]}-{closes[-1]}" if closes else "none"
        return f"{universe.name}={universe.version} {span}: {stay}{closing}"


def minutes(closes: list[int]) -> list[int]:
    """Closes as minutes of the world."""
    return [(close - close_at(0)) // (close_at(1) - close_at(0)) for close in closes]


def stretches(session: LoggedSession, log: SessionLog) -> list[Stretch]:
    """Chapter by chapter, up to the newest decision."""
    begins: list[tuple[int, Portfolio]] = [(session.start - 1, session.portfolio)]
    for one in log.chapters:
        assert one.noun.carried is not None
        begins.append((one.noun.carried.close_time, one.portfolio))
    ends = [*(begin for begin, _ in begins[1:]), log.closes[-1].close_time]
    return [
        Stretch(universe, bars_lane(portfolio, universe), after, until)
        for (after, portfolio), until in zip(begins, ends, strict=True)
        for universe in portfolio.universes
    ]


def published(play: LivePlay, lane: str) -> list[ClosedBars]:
    """What a lane says to its readers."""
    stored = play.world.bus.contents(lane)
    return [decode_closed_bars(s.message.payload) for s in stored if s.message.kind is Kind.CONTENT]


def used(log: SessionLog, universe: str) -> list[ClosedBars]:
    """What decisions had of a universe, in their order; bars that came late among them."""
    sections = [section for close in log.closes for section in close.sections]
    return [section for section in sections if section.universe == universe]


def breaches(play: LivePlay, name: str = "main") -> list[str]:
    """Of one portfolio; empty when all holds."""
    session, log = play.session(name), play.log(name)
    found = [*misused(session, log), *_of_lanes(play)]
    parity = check(log, session, chapter=session.chapter)
    if not parity.is_equal:
        found.append(f"parity: {parity.first}")
    entries = play.stores[name].entries
    recorded = [entries[close] for close in sorted(entries)]
    if repr(recorded) != repr(list(log.entries[: len(recorded)])):
        found.append("the ledger's closes are not the log's")
    return found


def misused(session: LoggedSession, log: SessionLog) -> Iterator[str]:
    """Every close of each universe is used once, in order, with the symbols of its chapter; of one
    that is absent at the end, the last ones are still to come.
    """
    wanted = dict[str, list[tuple[int, tuple[str, ...]]]]()
    for one in _begun(session, log):
        of = wanted.setdefault(one.universe.name, [])
        of += [(close, one.universe.symbols) for close in one.closes()]
    for name, closes in wanted.items():
        ours = [(section.close_time, section.symbols) for section in used(log, name)]
        absent = name in log.closes[-1].absent
        if ours != (closes[: len(ours)] if absent else closes):
            yield f"{name}: used {_told(ours)}, wanted {_told(closes)}"


def _begun(session: LoggedSession, log: SessionLog) -> Iterator[Stretch]:
    """Stretches, without those in which a universe that came was absent to the end: it begins with
    the next chapter, then.
    """
    of_chapters = stretches(session, log)
    there = {one.universe.name for one in of_chapters if one.after < session.start}
    newest = of_chapters[-1].until
    for one in of_chapters:
        name = one.universe.name
        closes = {section.close_time for section in used(log, name)}
        if name in there or one.until == newest or closes & set(one.closes()):
            there.add(name)
            yield one
        still = {each.universe.name for each in of_chapters if each.after == one.until}
        there -= {name} - still if one.until < newest else set()


def _of_lanes(play: LivePlay) -> Iterator[str]:
    """Each lane begins with as many closes of warm-up as were asked for before the first chapter
    that has it, and has every close since, once, in order, with its own symbols.
    """
    begun = dict[str, Stretch]()
    for session in (play.session(one.portfolio.name) for one in play.sessions):
        for one in stretches(session, play.log(session.portfolio.name)):
            begun[one.lane] = min(one, begun.get(one.lane, one), key=lambda each: each.after)
    for lane, one in begun.items():
        sections = published(play, lane)
        first = one.after // one.step * one.step - (WARMUP - 1) * one.step
        closes = [section.close_time for section in sections]
        if closes != [first + n * one.step for n in range(len(closes))]:
            yield f"{lane}: {minutes(closes)} from {minutes([first])} on"
        if any(section.symbols != one.universe.symbols for section in sections):
            yield f"{lane}: it has other symbols than {one.universe.symbols}"


def _told(closes: list[tuple[int, tuple[str, ...]]]) -> list[str]:
    return [f"{minutes([close])[0]}{''.join(symbols)}" for close, symbols in closes]


def chapters(play: LivePlay, name: str = "main") -> list[str]:
    """Every universe of every chapter in one line."""
    return [one.told() for one in stretches(play.session(name), play.log(name))]
