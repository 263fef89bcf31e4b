"""The memory of an event strategy: one vector of float64, so that it travels with the signals.

It begins with the target of each symbol; then comes what the class declares in `state`, in its
order: one number per name, or one per symbol.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratvector.strategies.bad_strategy import BadDeclaration, BadTarget, UndeclaredState
from stratvector.strategies.floats import Floats
from stratvector.trading.nearest import suggestion


@dataclass(frozen=True)
class PerSymbol:
    """A number of its own for each symbol, `initial` before the first close."""

    initial: float


def per_symbol(initial: float) -> PerSymbol:
    """Declares a memory per symbol: `state = {"highest": per_symbol(0.0)}`."""
    return PerSymbol(initial)


Declared = Mapping[str, float | PerSymbol]


def check_declared(model: str, state: object) -> None:
    """Refuse a `state` that is no mapping of names to numbers. Raises BadDeclaration."""
    if not isinstance(state, Mapping):
        raise BadDeclaration(model, f"its state is {state!r}, but it must be a dict of numbers")
    for name, initial in state.items():
        value = initial.initial if isinstance(initial, PerSymbol) else initial
        if not isinstance(name, str) or not isinstance(value, int | float):
            rule = f"state {name!r} begins as {value!r}, but it must be a number"
            raise BadDeclaration(model, rule)


def initial_memory(state: Declared, symbols: int) -> Floats:
    """No target, and what each name begins as."""
    parts = [np.zeros(symbols)]
    for initial in state.values():
        is_each = isinstance(initial, PerSymbol)
        value = initial.initial if isinstance(initial, PerSymbol) else initial
        parts.append(np.full(symbols if is_each else 1, float(value)))
    return np.concatenate(parts)


def columns_of(symbols: tuple[str, ...]) -> dict[str, int]:
    """The place of each symbol."""
    return {symbol: column for column, symbol in enumerate(symbols)}


def unknown_symbol(model: str, symbol: object, symbols: Iterable[str]) -> BadTarget:
    """The refusal of a symbol that the bars don't have, with the nearest that they have."""
    near = suggestion(str(symbol), symbols)
    return BadTarget(model, f"{symbol!r} is not a symbol of the bars; {near}")


class State:
    """`context.state`: what the model remembers, by the names that its class declares.

    state["entered"] is a number; state["highest"][symbol], declared as `per_symbol(0.0)`, is one
    per symbol. Every value is a float64, and NaN is one. Raises UndeclaredState.
    """

    __slots__ = ("_memory", "_model", "_places")

    def __init__(
        self, model: str, declared: Declared, memory: list[float], columns: dict[str, int]
    ) -> None:
        self._model, self._memory = model, memory
        self._places: dict[str, int | SymbolState] = {}
        place = len(columns)
        for name, initial in declared.items():
            if isinstance(initial, PerSymbol):
                self._places[name] = SymbolState(model, name, memory, columns, place)
                place += len(columns)
            else:
                self._places[name] = place
                place += 1

    def __getitem__(self, name: str) -> Any:
        place = self._place(name)
        return self._memory[place] if place.__class__ is int else place

    def __setitem__(self, name: str, value: float) -> None:
        place = self._place(name)
        if not isinstance(place, int):
            raise BadTarget(self._model, f"state {name!r} is per symbol: state[{name!r}][symbol]")
        if value.__class__ is not float:
            value = number(self._model, f"state {name!r}", value)
        self._memory[place] = value

    def _place(self, name: str) -> "int | SymbolState":
        try:
            return self._places[name]
        except (KeyError, TypeError):
            raise UndeclaredState(self._model, name, self._places) from None


class SymbolState:
    """A memory per symbol."""

    __slots__ = ("_columns", "_first", "_memory", "_model", "_name")

    def __init__(
        self, model: str, name: str, memory: list[float], columns: dict[str, int], first: int
    ) -> None:
        self._model, self._name, self._memory = model, name, memory
        self._columns, self._first = columns, first

    def __getitem__(self, symbol: str) -> float:
        return self._memory[self._place(symbol)]

    def __setitem__(self, symbol: str, value: float) -> None:
        place = self._place(symbol)
        self._memory[place] = number(self._model, f"state {self._name!r} of {symbol}", value)

    def _place(self, symbol: str) -> int:
        try:
            return self._first + self._columns[symbol]
        except (KeyError, TypeError):
            raise unknown_symbol(self._model, symbol, self._columns) from None


def number(model: str, what: str, value: object) -> float:
    """`value` as a float, truth values too. Raises BadTarget."""
    if isinstance(value, int | float | np.number | np.bool_) and not isinstance(
        value, np.complexfloating
    ):
        return float(value)
    raise BadTarget(model, f"{what} is {value!r}, but it must be a number")
