"""One venue over ccxt: pages of candles within its rate budget, and what became of each request."""

import asyncio
import importlib
import math
import ssl
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, Self, TypeVar

from stratvector.market.live.answers import (
    Answer,
    NoTurn,
    Refused,
    Throttled,
    Unreachable,
    VenueError,
    failure,
    heard,
    telling,
)
from stratvector.market.live.budget import Budget, Waits
from stratvector.market.live.candles import NANOSECONDS_PER_MILLISECOND
from stratvector.market.live.clock import UtcClock
from stratvector.market.live.state import VenueState
from stratvector.market.live.symbols import unified
from stratvector.market.live.venues import venue_terms
from stratvector.market.timeframes import Timeframe

Row = list[float | None]
Told = TypeVar("Told")

# An answer takes well under a second; after ten it will not come, and a retry is worth more.
REQUEST_SECONDS = 10.0
# ccxt's own limit counts on the machine's clock; it only ends what the given clock forgot.
_CCXT_MILLISECONDS = 60_000
# How many candles of a pair ccxt keeps of what the WebSocket told.
_WATCHED_CANDLES = 10
# A 429 without Retry-After, as Kraken's are: from five seconds to two minutes.
_UNTOLD_WAIT_SECONDS = (5.0, 120.0)
# What ccxt stumbles over when an answer has another shape than the venue's documents say.
_STUMBLES = (TypeError, ValueError, KeyError, IndexError, AttributeError)


@dataclass(frozen=True)
class Grid:
    """What a venue trades a pair on. decimals : of its prices. lot_size : units of one lot."""

    decimals: int
    lot_size: Decimal


class NoGrid(ValueError):
    """A pair of which the venue does not tell the tick or the lot."""

    def __init__(self, venue: str, symbol: str) -> None:
        self.venue, self.symbol = venue, symbol
        super().__init__(f"{venue} does not tell the price tick and the lot size of {symbol}")


class NoSuchInterval(ValueError):
    """A timeframe that the venue has no candles of."""

    def __init__(self, venue: str, timeframe: str, known: tuple[str, ...]) -> None:
        self.venue, self.timeframe, self.known = venue, timeframe, known
        super().__init__(f"{venue} has no candles of {timeframe}: it has {', '.join(known)}")


@dataclass(frozen=True)
class Page:
    """One answer. rows : [open ms, open, high, low, close, volume] as the venue told them, by time.

    venue_time : its clock, UTC ns; a candle that closes later was still open.
    """

    rows: list[Row]
    venue_time: int


class Venue:
    """A venue that is connected: its markets are known. One per process and address.

    state : its counters. page_closes : closes that one page can hold.
    """

    def __init__(
        self,
        state: VenueState,
        clock: UtcClock,
        exchange: Any,
        errors: Any,
        seed: int,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self.name = name = state.venue
        self.state, self.clock = state, clock
        self._terms = venue_terms(name)
        # The newest row of a page may be the candle that is still open.
        self.page_closes = self._terms.page_rows - 1
        self._exchange, self._errors = exchange, errors
        self._request_seconds = request_seconds
        self._budget = Budget(self._terms.allowance, clock, self.state)
        self._jitter = Random(seed)
        self._throttle_waits = Waits(self._jitter, *_UNTOLD_WAIT_SECONDS)

    @staticmethod
    async def load() -> Any:
        """Load ccxt, which takes seconds: not while others wait for this thread, nor in the time
        that a venue is given to answer.
        """
        return await asyncio.to_thread(importlib.import_module, "ccxt.pro")

    @classmethod
    async def connect(
        cls,
        name: str,
        clock: UtcClock,
        seed: int,
        urls: Mapping[str, Any] | None = None,
        state: VenueState | None = None,
        request_seconds: float = REQUEST_SECONDS,
    ) -> Self:
        """Load the venue's markets, asking again until it answers.

        name : "binance", "kraken" or "coinbase". seed : of the retries' jitter.
        urls : what stands in place of ccxt's `urls["api"]`, for a proxy or a loopback exchange.
        state : counters that somebody already shows while this waits for the venue.
        request_seconds : how long an answer may take on the given clock.
        Raises UnknownVenue, and Refused where the venue does not serve this address.
        """
        terms = venue_terms(name)
        ccxt = await cls.load()
        errors = importlib.import_module("ccxt.base.errors")
        exchange = telling(getattr(ccxt, name), errors.BadResponse)(
            {
                "enableRateLimit": False,  # the budget is here, on the given clock
                "timeout": _CCXT_MILLISECONDS,
                # A wait on the machine's clock at the end; aiohttp's own close waits for TLS now.
                "timeout_on_exit": 0,
                "has": {"fetchCurrencies": False},  # one request more, of which nothing is read
                "newUpdates": False,  # a watched answer is the newest candles, not the changed ones
                "options": {**terms.options, "OHLCVLimit": _WATCHED_CANDLES},
            }
        )
        exchange.session = _session(exchange)
        if urls is not None:
            exchange.urls["api"] = dict(urls)
        told = state or VenueState(name)
        venue = cls(told, clock, exchange, errors, seed, request_seconds)
        try:
            await venue._load_markets()
        except BaseException:
            await venue.close()
            raise
        return venue

    async def close(self) -> None:
        """Close its connections."""
        await self._exchange.close()

    def unified(self, symbol: str) -> str:
        """ccxt's name of "BTC-USD": "BTC/USD". Raises UnknownPair."""
        spot = [name for name, market in self._exchange.markets.items() if market["spot"]]
        return unified(self.name, symbol, spot)

    def interval(self, timeframe: Timeframe) -> str:
        """ccxt's name of a timeframe: "4h" of 4H. Raises NoSuchInterval."""
        known = tuple(self._exchange.timeframes)
        wanted = timeframe.name.lower()
        if wanted not in known:
            # ccxt's "1M" is a month; the project's names are in capitals and end at a day.
            short = tuple(name.upper() for name in known if name[-1] in "mhd")
            raise NoSuchInterval(self.name, timeframe.name, short)
        return wanted

    def grid(self, symbol: str) -> Grid:
        """Price decimals and lot of "BTC-USD". Raises UnknownPair, NoGrid."""
        told = self._exchange.markets[self.unified(symbol)].get("precision") or {}
        tick, lot = (_tick(told.get(key)) for key in ("price", "amount"))
        if tick is None or lot is None:
            raise NoGrid(self.name, symbol)
        exponent = tick.normalize().as_tuple().exponent
        assert isinstance(exponent, int)
        return Grid(max(0, -exponent), lot)

    @property
    def watches(self) -> bool:
        """Whether it also tells candles over a WebSocket."""
        return bool(self._exchange.has.get("watchOHLCV"))

    async def page(
        self, pair: str, interval: str, first_open: int, closes: int, until: int | None
    ) -> Page:
        """Up to `closes` candles from the one that opens at `first_open` (UTC ns), and the next.

        pair, interval : ccxt's names. until : when the answer is no longer wanted, UTC ns; None =
        always. One request, never sent while the venue told to wait. Raises the VenueErrors.
        """
        if not await self._budget.take(self._terms.page_cost, until):
            raise NoTurn(f"{self.name} may not be asked in time: {self.state.last_error}")
        since = first_open // NANOSECONDS_PER_MILLISECOND
        asked = self._exchange.fetch_ohlcv(pair, interval, since, closes + 1)
        rows, answer = await self._answered(asked)
        if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
            raise self._failed(Unreachable(f"{self.name} told rows that are no candles"))
        return Page(rows, answer.time or self.clock.now())

    async def watch(self, pair: str, interval: str) -> Page:
        """What the WebSocket tells next; the newest row is still open. Raises Unreachable."""
        try:
            rows = await self._exchange.watch_ohlcv(pair, interval)
        except (self._errors.BaseError, *_STUMBLES) as error:
            raise self._failed(Unreachable(f"{type(error).__name__}: {error}")) from error
        newest = max(int(row[0]) for row in rows) if rows else 0
        return Page(rows, newest * NANOSECONDS_PER_MILLISECOND)

    def waits(self) -> Waits:
        """Waits for one chain of retries."""
        return Waits(self._jitter)

    async def _load_markets(self) -> None:
        waits = self.waits()
        while True:
            await self._budget.take(self._terms.markets_cost, None)
            try:
                await self._answered(self._exchange.load_markets())
            except (Throttled, Unreachable):
                await self.clock.sleep(waits.next())
                self.state.retries += 1
            else:
                return

    async def _answered(self, asked: Awaitable[Told]) -> tuple[Told, Answer]:
        answers: list[Answer] = []
        token = heard.set(answers)
        self.state.requests += 1
        self.state.in_flight += 1
        try:
            told = await self._in_time(asked)
        except VenueError as error:
            raise self._failed(error) from None
        except (self._errors.BaseError, *_STUMBLES) as error:
            raise self._failed(failure(self._errors, error, answers, self.clock.now())) from error
        finally:
            self.state.in_flight -= 1
            heard.reset(token)
        if not answers:
            raise self._failed(Unreachable(f"{self.name} gave no answer"))
        self._heard(answers[-1])
        return told, answers[-1]

    async def _in_time(self, asked: Awaitable[Told]) -> Told:
        """The answer, if it comes within `request_seconds` of the given clock."""
        request = asyncio.ensure_future(asked)
        limit = asyncio.ensure_future(self.clock.sleep(self._request_seconds))
        try:
            await asyncio.wait({request, limit}, return_when=asyncio.FIRST_COMPLETED)
            if not request.done():
                raise Unreachable(
                    f"{self.name} gave no answer in {self._request_seconds:g} seconds"
                )
            return request.result()
        finally:
            for each in (request, limit):
                each.cancel()
            # A request that is cancelled closes its connection before anything goes on.
            await asyncio.gather(request, limit, return_exceptions=True)

    def _heard(self, answer: Answer) -> None:
        state, now = self.state, self.clock.now()
        state.last_answer_at = now
        self._throttle_waits.reset()
        if (told := answer.time) is not None:
            state.venue_ahead_seconds = (told - now) / 1e9
        used = answer.headers.get(self._terms.used_header or "")
        if used is not None and used.isdigit():
            self._budget.told_left(self._terms.used_max - float(used))

    def _failed(self, error: VenueError) -> VenueError:
        """Count a failure; close the venue for as long as it told."""
        state = self.state
        state.last_error = str(error)
        if isinstance(error, Throttled):
            state.throttled += 1
            told = error.retry_after_seconds
            self._budget.close_for(self._throttle_waits.next() if told is None else told)
        elif isinstance(error, Refused):
            state.refused += 1
        else:
            state.unreachable += 1
        return error


def _session(exchange: Any) -> Any:
    """What ccxt would make for itself, but for the resolver: aiohttp's usual one may leave a thread
    behind that ends when it likes.
    """
    aiohttp = importlib.import_module("aiohttp")
    resolver = aiohttp.ThreadedResolver()
    context = ssl.create_default_context(cafile=exchange.cafile)
    connector = aiohttp.TCPConnector(ssl=context, resolver=resolver)
    return aiohttp.ClientSession(connector=connector, trust_env=exchange.aiohttp_trust_env)


def _tick(told: Any) -> Decimal | None:
    """A step as ccxt tells it, which are steps at all these venues; None where it tells none."""
    if not isinstance(told, (int, float)) or not 0 < told < math.inf:
        return None
    return Decimal(format(Decimal(repr(told)), "f"))  # 0.00000001, and not 1E-8


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and len(row) >= 6 and isinstance(row[0], int)
