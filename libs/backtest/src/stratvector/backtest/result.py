"""Result: everything that a run gave, read off its ledger entries; the same for every driver."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from stratvector.backtest.frames import (
    WORKING,
    PandasFrames,
    as_pandas,
    equity_frame,
    executions,
    fills_frame,
    orders_frame,
    trades_frame,
)
from stratvector.backtest.metrics import (
    MetricsInput,
    Observations,
    SignedFill,
    compute_metrics,
    observations,
    round_trips,
)
from stratvector.backtest.record import ledger_entries
from stratvector.backtest.result_text import html_of, text_of
from stratvector.backtest.run_caveats import run_caveats
from stratvector.trading.benchmark import Benchmark
from stratvector.trading.caveats import Caveat
from stratvector.trading.halts import Halt, HaltWatch, halts_of
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.reasons import NOT_REJECTED
from stratvector.trading.replay import Outcome
from stratvector.trading.session import Session


@dataclass(frozen=True)
class ModelResult:
    """One model's share. profit : base currency, net of commission. fills : shared ones."""

    name: str
    profit: float
    commission: float
    fills: int


@dataclass(frozen=True, eq=False)
class Result:
    """A finished run.

    entries : the ledger, one entry per decided close, at least one.
    bars, signals : messages from the session's start on: one per universe and close, one per model
        and close of its universe. limits : by chapter, where they were changed while it ran.
    """

    session: Session
    entries: tuple[LedgerEntry, ...]
    bars: int
    signals: int
    limits: Mapping[int, RiskLimits] = field(default_factory=dict)

    @cached_property
    def orders(self) -> pl.DataFrame:
        """Approved orders; see `frames.orders_frame`."""
        return orders_frame(self.entries, self.session.portfolio)

    @cached_property
    def fills(self) -> pl.DataFrame:
        """Executions; see `frames.fills_frame`."""
        return fills_frame(self.entries, self.session.portfolio)

    @cached_property
    def equity(self) -> pl.DataFrame:
        """The account after each close; see `frames.equity_frame`."""
        return equity_frame(self.entries, self.session.portfolio)

    @cached_property
    def trades(self) -> pl.DataFrame:
        """Round trips at average cost."""
        return trades_frame(round_trips(self._signed_fills))

    @cached_property
    def metrics(self) -> dict[str, float]:
        """Every metric by key, undefined is NaN; see `metrics.compute_metrics`."""
        decisions = [entry.decision for entry in self.entries]
        equity = np.array([d.equity for d in decisions])
        gross = np.array([d.gross_exposure for d in decisions])
        return compute_metrics(
            MetricsInput(
                close_times=np.array([d.close_time for d in decisions], dtype=np.int64),
                equity=equity,
                fills=self._signed_fills,
                gross_exposure=gross / np.where(equity > 0.0, equity, np.nan),
                benchmark=self.benchmark,
                risk_free_rate=self.session.risk_free_rate,
            )
        )

    @cached_property
    def benchmark(self) -> Benchmark | None:
        """What alpha, beta and information ratio compare with: the session's, by default all its
        symbols bought in equal parts and held, without costs. None where no symbol has a price.
        """
        return self.session.compared_with

    @property
    def benchmark_return(self) -> float:
        """The benchmark's total return from the first to the last close; NaN without one."""
        if self.benchmark is None:
            return math.nan
        first, last = (self.entries[n].decision.close_time for n in (0, -1))
        return self.benchmark.total_return(first, last)

    @property
    def observations(self) -> Observations:
        """How many returns and days the annualised figures rest on."""
        times = [entry.decision.close_time for entry in self.entries]
        return observations(np.array(times, dtype=np.int64))

    @property
    def halts(self) -> tuple[Halt, ...]:
        """When a breaker stopped trading, by which rule, and for how long; see `Halt`."""
        return self._watched.halts

    @property
    def halted_since(self) -> int | None:
        """The close (ns UTC) of the drawdown halt that lasted to the end, None without one."""
        return self._watched.halted_since

    @cached_property
    def caveats(self) -> tuple[Caveat, ...]:
        """Everything doubtful: what the data showed, then what the run showed."""
        return (*self.session.caveats, *run_caveats(self))

    @property
    def working_at_end(self) -> int:
        """Orders of the last closes that no bar of the session could fill any more."""
        return int((self.orders["status"] == WORKING).sum())

    @property
    def final_equity(self) -> float:
        """Equity at the last close, base currency, as the engine computed it."""
        return self.entries[-1].decision.equity

    @cached_property
    def rejections(self) -> dict[str, int]:
        """How often a planned symbol ended without an order, by reason, the most frequent first."""
        counts = Counter(
            symbol.outcome for entry in self.entries for symbol in entry.decision.symbols
        )
        listed = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return {o.name.lower(): count for o, count in listed if o not in NOT_REJECTED}

    @cached_property
    def models(self) -> tuple[ModelResult, ...]:
        """Each model's share, in config order; profits add up to the portfolio's."""
        shared = [
            sum(1 for entry in self.entries for _, parts in executions(entry) if parts[m])
            for m in range(len(self.session.portfolio.models))
        ]
        return tuple(
            ModelResult(account.model, float(account.equity), float(account.commission), fills)
            for account, fills in zip(self.entries[-1].models, shared, strict=True)
        )

    def to_pandas(self) -> PandasFrames:
        """equity, orders, fills and trades as pandas frames, times as UTC timestamps."""
        return PandasFrames(
            *(as_pandas(table) for table in (self.equity, self.orders, self.fills, self.trades))
        )

    def __repr__(self) -> str:
        return text_of(self)

    def _repr_html_(self) -> str:
        return html_of(self)

    @cached_property
    def _watched(self) -> HaltWatch:
        return halts_of(self.entries, self.session.portfolio, self.limits)

    @cached_property
    def _signed_fills(self) -> tuple[SignedFill, ...]:
        """Executions for the metrics, by the time at which the market gave the price."""
        sizes = {i.symbol: i for i in self.session.portfolio.instruments}
        events = (event for entry in self.entries for event, _ in executions(entry))
        return tuple(
            SignedFill(
                time=event.fill_time,
                symbol=event.symbol,
                quantity=float(sizes[event.symbol].quantity(event.lots)),
                price=float(event.price),
                commission=float(event.commission),
                slippage_cost=float(event.slippage),
            )
            for event in sorted(events, key=lambda e: e.fill_time)
        )


def result_of(outcome: Outcome) -> Result:
    """The result of a compiled run."""
    session = outcome.session
    schedule = session.schedule
    signals = sum(len(schedule.closes_of(m.universe)) for m in session.portfolio.models)
    return Result(session, ledger_entries(outcome), int(schedule.closes.sum()), signals)
