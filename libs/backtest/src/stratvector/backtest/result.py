"""Result: everything that a run gave, read off its record; the same for every driver."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl

from stratvector.backtest.frames import (
    PandasFrames,
    as_pandas,
    equity_frame,
    fills_frame,
    gross_exposure,
    orders_frame,
    trades_frame,
    with_execution_ids,
    with_order_ids,
)
from stratvector.backtest.ledger_record import LedgerRecord
from stratvector.backtest.metrics import (
    FillSeries,
    MetricsInput,
    Observations,
    compute_metrics,
    observations,
    round_trips,
)
from stratvector.backtest.record import WORKING, Record
from stratvector.backtest.result_text import html_of, text_of
from stratvector.backtest.run_caveats import run_caveats
from stratvector.backtest.run_ledger import ledger_entries
from stratvector.backtest.run_record import RunRecord
from stratvector.backtest.whole_numbers import TooFine
from stratvector.trading.benchmark import Benchmark
from stratvector.trading.caveats import Caveat
from stratvector.trading.halts import DRAWDOWN_HALT, Halt
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.reasons import NOT_REJECTED
from stratvector.trading.reasons import Outcome as Ending
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

    record : its arrays. bars, signals : messages from the session's start on: one per universe and
        close, one per model and close of its universe. ledger : makes its entries.
    """

    session: Session
    record: Record
    bars: int
    signals: int
    ledger: Callable[[], tuple[LedgerEntry, ...]]

    @classmethod
    def of_ledger(
        cls,
        session: Session,
        entries: Sequence[LedgerEntry],
        bars: int,
        signals: int,
        limits: Mapping[int, RiskLimits] | None = None,
    ) -> Self:
        """Of a ledger, one entry per decided close, at least one. limits : by chapter, where they
        were changed while it ran.
        """
        whole = tuple(entries)
        record = LedgerRecord(whole, session.portfolio, limits or {})
        return cls(session, record, bars, signals, lambda: whole)

    @cached_property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """The ledger, one entry per decided close. Those of a backtest are made when they are asked
        for: its run is gone through once more, with every figure recorded.
        """
        return self.ledger()

    @cached_property
    def orders(self) -> pl.DataFrame:
        """Approved orders; see `frames.orders_frame`."""
        return orders_frame(self.record, self.session.portfolio)

    @cached_property
    def fills(self) -> pl.DataFrame:
        """Executions; see `frames.fills_frame`."""
        return fills_frame(self.record, self.session.portfolio)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """orders, fills and equity as files hold them: with the ids of orders and executions."""
        return {
            "orders": with_order_ids(self.orders, self.record),
            "fills": with_execution_ids(self.fills, self.record),
            "equity": self.equity,
        }

    @cached_property
    def equity(self) -> pl.DataFrame:
        """The account after each close; see `frames.equity_frame`."""
        return equity_frame(self.record, self.session.portfolio)

    @cached_property
    def trades(self) -> pl.DataFrame:
        """Round trips at average cost."""
        return trades_frame(round_trips(self._fill_series), self.session.portfolio.symbols)

    @cached_property
    def metrics(self) -> dict[str, float]:
        """Every metric by key, undefined is NaN; see `metrics.compute_metrics`."""
        return compute_metrics(
            MetricsInput(
                close_times=self.record.close_times,
                equity=self.record.equity,
                fills=self._fill_series,
                gross_exposure=gross_exposure(self.record),
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
        return self.benchmark.total_return(self.first_close, self.last_close)

    @property
    def first_close(self) -> int:
        """The first decided close, ns UTC."""
        return int(self.record.close_times[0])

    @property
    def last_close(self) -> int:
        """The last decided close, ns UTC."""
        return int(self.record.close_times[-1])

    @property
    def closes(self) -> int:
        """How many closes were decided."""
        return len(self.record.close_times)

    @property
    def observations(self) -> Observations:
        """How many returns and days the annualised figures rest on."""
        return observations(self.record.close_times)

    @property
    def halts(self) -> tuple[Halt, ...]:
        """When a breaker stopped trading, by which rule, and for how long; see `Halt`."""
        return self.record.halts

    @property
    def halted_since(self) -> int | None:
        """The close (ns UTC) of the drawdown halt that lasted to the end, None without one."""
        lasting = (h for h in self.halts if h.rule == DRAWDOWN_HALT and h.until is None)
        return next((halt.since for halt in lasting), None)

    @cached_property
    def caveats(self) -> tuple[Caveat, ...]:
        """Everything doubtful: what the data showed, then what the run showed."""
        return (*self.session.caveats, *run_caveats(self))

    @property
    def working_at_end(self) -> int:
        """Orders of the last closes that no bar of the session could fill any more."""
        return int(np.count_nonzero(self.record.orders.status == WORKING))

    @property
    def final_equity(self) -> float:
        """Equity at the last close, base currency, as the engine computed it."""
        return float(self.record.equity[-1])

    @cached_property
    def rejections(self) -> dict[str, int]:
        """How often a planned symbol ended without an order, by reason, the most frequent first."""
        rejected = (o for o in Ending if o not in NOT_REJECTED)
        counts = {outcome: self.record.outcomes.get(int(outcome), 0) for outcome in rejected}
        listed = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return {outcome.name.lower(): count for outcome, count in listed if count}

    @cached_property
    def models(self) -> tuple[ModelResult, ...]:
        """Each model's share, in config order; profits add up to the portfolio's."""
        shared = np.count_nonzero(self.record.fills.parts, axis=0).tolist()
        columns = self.record.profits[-1].tolist(), self.record.commissions.tolist(), shared
        names = self.session.portfolio.model_names
        return tuple(ModelResult(*row) for row in zip(names, *columns, strict=True))

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
    def _fill_series(self) -> FillSeries:
        """Executions for the metrics, by the time at which the market gave the price."""
        fills = self.record.fills
        order = np.argsort(fills.fill_time, kind="stable")
        return FillSeries(
            self.session.portfolio.symbols,
            fills.fill_time[order],
            fills.symbol[order],
            fills.quantity[order],
            fills.price[order],
            fills.commission[order],
            fills.slippage[order],
        )


def result_of(outcome: Outcome) -> Result:
    """The result of a compiled run."""
    session = outcome.session
    schedule = session.schedule
    signals = sum(len(schedule.closes_of(m.universe)) for m in session.portfolio.models)
    bars = int(schedule.closes.sum())

    def ledger() -> tuple[LedgerEntry, ...]:
        return ledger_entries(outcome)

    try:
        return Result(session, RunRecord(outcome), bars, signals, ledger)
    except TooFine:
        return Result.of_ledger(session, ledger(), bars, signals)
