"""Decisions replayed: the account folds what each cut names, decides, and adopts what was logged,
so that one difference does not cascade.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from stratvector.trading.account import PortfolioAccount
from stratvector.trading.fills import FillsReport
from stratvector.trading.logged import Logged, LoggedChapter, LoggedClose, UndecidedClose
from stratvector.trading.orders import LATE, Cut, Decision, SymbolDecision
from stratvector.trading.parity.chapters import ChaptersReplay, begins_of, carried_of
from stratvector.trading.parity.difference import Difference, Fact, gaps, text
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.reasons import Stage
from stratvector.trading.signals import Signals
from stratvector.trading.used_bars import ABSENT, UsedBars
from stratvector.trading.value_at_risk import multipliers

FIGURES = ("equity", "gross_exposure", "drawdown_factor", "halted", "reduce_only")


class DecisionReplay:
    """The account of one portfolio, fed by the log. chapters, begins : see `ChaptersReplay`."""

    def __init__(
        self,
        portfolio: Portfolio,
        chapters: Sequence[LoggedChapter] = (),
        begins: LoggedChapter | None = None,
    ) -> None:
        self._portfolio = portfolio
        self._chapters = ChaptersReplay(portfolio, chapters, begins)
        self._begins, carried = begins_of(chapters), carried_of(begins)
        self._account = PortfolioAccount(portfolio, carried)
        self._unfolded = list[Logged[FillsReport]]()
        self._figure = None if carried is None else carried.value_at_risk

    def before(self, close_time: int) -> Iterator[Difference]:
        """How the chapters differ that opened before the first decision. close_time : to tell it
        at, ns UTC.
        """
        yield from self._chapters.before(close_time, self._account)

    def at(self, index: int, close: LoggedClose) -> Iterator[Difference]:
        """How the logged decision of a close differs from the replayed one."""
        logged = close.decision.noun
        cut, wrong = self._usable(close, logged.cut)
        yield from wrong
        yield from self._settle(close, cut.fills_sequence)
        # The figure came from outside; what it does is in the cuts of later closes.
        # Chapters end when risk says so; that the next one opens there was seen when the log was
        # read.
        replayed = replace(
            self._decide(close, cut, logged.stopping),
            value_at_risk=logged.value_at_risk,
            chapter=logged.chapter,
            ends_chapter=logged.ends_chapter,
        )
        for gap in gaps(replace(logged, cut=cut), replayed):
            explanation = self._facts(gap.subject, logged, replayed)
            yield _difference(close, gap.what, gap.subject, (gap.logged, gap.replayed), explanation)
        self._place(logged, replayed)
        self._figure = logged.value_at_risk or self._figure
        yield from self._chapters.at(close, self._account)
        if (chapter := self._begins.get(close.close_time)) is not None:
            self._portfolio = chapter.portfolio
            self._account = PortfolioAccount(chapter.portfolio, chapter.noun.carried)

    def decided(self, close: UndecidedClose) -> Decision:
        """What is to be decided at the close after those that were replayed."""
        cut = replace(self._own_cut(close), multipliers=multipliers(self._portfolio, self._figure))
        for _ in self._settle(close, cut.fills_sequence):
            pass  # told as differences of fills already
        return self._decide(close, cut)

    def _own_cut(self, close: UndecidedClose) -> Cut:
        """The messages of the close itself."""
        return Cut(
            bars={universe: logged.id for universe, logged in close.bars.items()}
            | dict.fromkeys(close.absent, ABSENT),
            signals={model: logged.id for model, logged in close.signals.items()},
            fills_sequence=max(report.sequence for report in close.reports),
            late=tuple(UsedBars(one.bars.noun.universe, one.bars.id) for one in close.earlier),
        )

    def _usable(self, close: LoggedClose, cut: Cut) -> tuple[Cut, list[Difference]]:
        """The cut as far as it names what the log holds, and what it names otherwise."""
        own = self._own_cut(close)
        due = [model.name for model in self._portfolio.signalling(close.bars)]
        signals = own.signals | {model: LATE for model in due if cut.is_late(model)}
        named = cut.multipliers
        fits = len(named) in (0, len(self._portfolio.models))
        usable = replace(
            own,
            signals=signals,
            fills_sequence=cut.fills_sequence,
            commands_sequence=cut.commands_sequence,
            multipliers=named if fits else (),
        )
        derived = multipliers(self._portfolio, self._figure) if named else ()
        expected = replace(usable, fills_sequence=own.fills_sequence, multipliers=derived)
        wrong = [
            _difference(close, f"cut.{gap.what}", gap.subject, (gap.logged, gap.replayed))
            for gap in gaps(cut, expected)
        ]
        return usable, wrong

    def _settle(self, close: UndecidedClose, fills_sequence: int) -> Iterator[Difference]:
        """Fold the reports that the cut names; an event that the account refuses is told."""
        self._unfolded.extend(close.reports)
        named = [one for one in self._unfolded if one.sequence <= fills_sequence]
        self._unfolded = [one for one in self._unfolded if one.sequence > fills_sequence]
        for report in named:
            for event in report.noun.events:
                try:
                    self._account.settle(event)
                except (ValueError, KeyError) as refusal:
                    yield Difference(
                        noun="fills",
                        close_time=close.close_time,
                        subject=event.symbol,
                        what=event.kind.name.lower(),
                        logged=text(event),
                        replayed=f"refused: {refusal}",
                        messages={"fills": report.id},
                    )

    def _decide(self, close: UndecidedClose, cut: Cut, stopping: bool = False) -> Decision:
        sections = [logged.noun for logged in close.bars.values()]
        signals: dict[str, Signals | None] = {
            model: self._fitting(model, close) if used != LATE else None
            for model, used in cut.signals.items()
        }
        self._account.observe(close.close_time, sections, signals, close.late_sections)
        if stopping:
            return self._account.stop(close.close_time, cut)
        return self._account.decide(close.close_time, cut)

    def _fitting(self, model: str, close: UndecidedClose) -> Signals | None:
        """A model's signals; None if they are of other symbols, which is told as their own
        difference.
        """
        (allocation,) = (m for m in self._portfolio.models if m.name == model)
        signals = close.signals[model].noun
        symbols = self._portfolio.universe(allocation.universe).symbols
        return signals if tuple(row.symbol for row in signals.rows) == symbols else None

    def _place(self, logged: Decision, replayed: Decision) -> None:
        """Adopt what was logged; what can't be adopted was told as a difference."""
        try:
            self._account.place(logged)
        except (ValueError, KeyError):
            self._account.place(replayed)

    def _facts(self, subject: str, logged: Decision, replayed: Decision) -> tuple[Fact, ...]:
        """How both came to a symbol's outcome; without a symbol, the figures of the account."""
        if not subject:
            return tuple(
                Fact(name, text(getattr(logged, name)), text(getattr(replayed, name)))
                for name in FIGURES
            )
        one, other = self._path(subject, logged), self._path(subject, replayed)
        return tuple(
            Fact(what, one.get(what, text(None)), other.get(what, text(None)))
            for what in dict.fromkeys((*other, *one))
        )

    def _path(self, symbol: str, decision: Decision) -> Mapping[str, str]:
        """A symbol's way through the stages, in words."""
        path: dict[str, str] = {}
        for row in decision.symbols:
            if row.symbol == symbol:
                path |= self._stages(row)
        for order in decision.orders:
            if order.symbol == symbol:
                path |= {"order lots": text(order.lots), "order parts": text(order.parts)}
        return path

    def _stages(self, row: SymbolDecision) -> dict[str, str]:
        reasons = dict(zip(self._portfolio.model_names, row.weight_reasons, strict=False))
        stages = dict(zip(Stage, row.stages, strict=False))
        return {
            **{f"weight of {model}": text(reason) for model, reason in reasons.items()},
            **{f"stage {text(stage)}": text(exposure) for stage, exposure in stages.items()},
            "target lots": text(row.target_lots),
            "outcome": text(row.outcome),
        }


def _difference(
    close: LoggedClose,
    what: str,
    subject: str,
    values: tuple[str, str],
    facts: tuple[Fact, ...] = (),
) -> Difference:
    """A difference of the decision; values = (logged, replayed)."""
    return Difference(
        "orders",
        close.close_time,
        subject,
        what,
        *values,
        facts=facts,
        messages=messages_of(close) | {"orders": close.decision.id},
    )


def messages_of(close: UndecidedClose) -> dict[str, str]:
    """Ids of what a decision has at a close, by noun and name."""
    return {
        **{f"late bars {one.bars.noun.universe}": one.bars.id for one in close.earlier},
        **{f"bars {universe}": logged.id for universe, logged in close.bars.items()},
        **{f"signals {model}": logged.id for model, logged in close.signals.items()},
        **fills_messages(close),
    }


def fills_messages(close: UndecidedClose) -> dict[str, str]:
    """Ids of the reports that close a close; by account where there are several."""
    closing = {one.noun.account: one.id for one in close.reports if one.noun.closed is not None}
    if len(closing) == 1:
        return {"fills": next(iter(closing.values()))}
    return {f"fills {account}": one for account, one in closing.items()}
