"""A strategy in events: a class with `on_bar`, in plain Python."""

from abc import abstractmethod
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import FrozenInstanceError, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

import numpy as np

from stratvector.strategies.bad_strategy import BadDeclaration
from stratvector.strategies.context import Context
from stratvector.strategies.declaring import (
    DAY,
    history_of,
    history_rule,
    numbers,
    obey,
    refuse_taken,
)
from stratvector.strategies.floats import Floats
from stratvector.strategies.memory import PerSymbol, check_declared, initial_memory
from stratvector.strategies.panel import Panel
from stratvector.strategies.parameters import check_types, require_at_least
from stratvector.trading.bars import Bars
from stratvector.trading.engine.scan import Scan, decide_jit, run_scan
from stratvector.trading.nearest import suggestion
from stratvector.trading.strategy import Decide, Strategy, check_parts, follow_first_feature
from stratvector.trading.timestamps import utc_text

FACTS = ("name", "version", "windowed", "history", "state")  # of a class; never parameters


@decide_jit
def _on_bar_decides_in_the_fold(state, row, parameters, weights, confidence):  # type: ignore[no-untyped-def]
    """Whoever goes past `stratvector.trading.strategy.fold` would trade closes as weights."""
    raise ValueError


class _Unwritable:
    """Instances keep what they were made with."""

    def __setattr__(self, name: str, value: object) -> None:
        kind = type(self).__name__
        raise FrozenInstanceError(
            f"{kind} sets self.{name} to {value!r}, but live it would be forgotten: what a model "
            f"remembers stands in context.state, declared in the class as state = {{...}}"
        )


@dataclass_transform(frozen_default=True)
class EventStrategy(_Unwritable, Strategy):
    """A subclass declares its parameters as annotated attributes with defaults, and says `on_bar`;
    it needs no decorator.

    history : closes that one decision may read: a number, the name of a parameter, or a function
    of parameters. state : what the model remembers, name -> the number that it begins with, or
    `per_symbol(number)`. name : by default the class's. check(self) : may refuse parameters by
    False or a ValueError.

    `on_bar` runs over the whole history before the compiled loop of the engine. Targets stay until
    they are changed; a symbol whose bar is missing has a NaN weight and keeps its target.
    Confidence is the size of the weight. Feature 0 is the close.
    """

    decide: ClassVar[Decide] = staticmethod(_on_bar_decides_in_the_fold)
    state: ClassVar[Mapping[str, float | PerSymbol]] = {}
    if TYPE_CHECKING:
        history: Any

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = cls.__dict__
        annotations = own.get("__annotations__", {})
        for fact in FACTS:
            annotations.pop(fact, None)
        for parameter in annotations:
            refuse_taken(cls.__name__, parameter, EventStrategy)
        if "name" not in own:
            cls.name = cls.__name__
        check_declared(cls.__name__, cls.state)
        rule = own.get("history")
        try:
            dataclass(frozen=True)(cls)
        except (TypeError, ValueError) as error:
            raise BadDeclaration(cls.__name__, str(error)) from None
        # What refuses a write here says more than what a dataclass brings.
        for brought in ("__setattr__", "__delattr__"):
            if brought in own:
                delattr(cls, brought)
        if rule is not None and not isinstance(rule, property):
            _set_history(cls, rule)

    def __post_init__(self) -> None:
        check_types(self)
        require_at_least(1, self, DAY)
        history_of(self, self.history)
        obey(self, self.check)

    def check(self) -> bool | None:
        """False, or ValueError, where the parameters break a rule of this model."""
        return None

    @abstractmethod
    def on_bar(self, context: Context) -> None:
        """Look at one close, and change targets."""

    def features(self, bars: Bars) -> Floats:
        """The closes: what is decided from stands in the bars themselves."""
        rows = bars.close[:, :, np.newaxis].copy()
        rows[: self.history - 1] = np.nan
        return rows

    def parameters(self) -> Floats:
        """Those that are numbers; `on_bar` reads them by name."""
        return np.array(numbers(self), dtype=np.float64)

    def initial_state(self, symbols: int) -> Floats:
        """A target per symbol, then what `state` declares."""
        return initial_memory(self.state, symbols)

    def fold(self, rows: Floats, bars: Bars, state: Floats, first: int) -> Scan:
        """`on_bar` at each of the last len(rows) closes from `first` on."""
        return self._fold(Panel(bars), len(rows), state, first)

    @classmethod
    def scans_of_each(cls, strategies: Sequence[Self], bars: Bars) -> Iterator[Scan]:
        """The scans of many parameter sets; indicators they share are computed once."""
        panel = Panel(bars)
        for one in strategies:
            check_parts(one, len(bars.symbols))
            yield one._fold(panel, len(bars), one.initial_state(len(bars.symbols)), one.history - 1)

    def _fold(self, panel: Panel, count: int, state: Floats, first: int) -> Scan:
        before = len(panel) - count
        if self.windowed and count > 1:
            states = self._windows(panel, state, before, first)
        else:
            states = self._states(panel, state, before, first)
        targets = np.where(np.isnan(panel.close[before:]), np.nan, states[:, : len(panel.symbols)])
        rows, nothing = targets[:, :, np.newaxis], np.zeros(0)
        weighed = run_scan(follow_first_feature, rows, nothing, nothing, first)
        state[:] = states[-1] if len(states) else state
        return weighed._replace(states=states)

    def _states(self, panel: Panel, state: Floats, before: int, first: int) -> Floats:
        """The memory after each of the closes from row `before` on."""
        memory: list[float] = state.tolist()
        context = Context(self.name, self.history, self.state, panel, memory)
        states = array("d", memory * min(first, len(panel) - before))
        keep, on_bar = states.extend, self.on_bar
        try:
            for row in range(before + first, len(panel)):
                context._row = row
                on_bar(context)
                keep(memory)
        except Exception as error:
            _tell(error, context, self.name)
            raise
        return np.frombuffer(states, dtype=np.float64).reshape(len(panel) - before, len(memory))

    def _windows(self, panel: Panel, state: Floats, before: int, first: int) -> Floats:
        """The same, each close from its window alone."""
        states, now = np.empty((len(panel) - before, len(state))), state
        for t in range(len(states)):
            stop = before + t + 1
            if t >= first:
                now = self._states(
                    panel.window(stop - self.history, stop), now, self.history - 1, 0
                )[-1]
            states[t] = now
        return states


def _tell(error: Exception, context: Context, model: str) -> None:
    """Say where an error of `on_bar` happened, and which symbol a wrong one may have meant."""
    error.add_note(f"in on_bar of {model} at the close {utc_text(context.time)}")
    if isinstance(error, KeyError) and isinstance(error.args[0], str):
        error.add_note(f"{error}: {suggestion(error.args[0], context.symbols)}")


def _set_history(cls: type[EventStrategy], rule: Any) -> None:
    """A number, a parameter's name or a function becomes the property that it means."""
    names = [field.name for field in fields(cls)]
    if getattr(rule, "__code__", None) and rule.__code__.co_varnames[:1] == ("self",):
        cls.history = property(rule)
        return
    checked = history_rule(cls.__name__, rule, dict.fromkeys(names))
    cls.history = property(lambda self: history_of(self, checked))
