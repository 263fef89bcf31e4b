"""The points of a parameter grid, in its order, each a strategy."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import Any

from stratvector.strategies import parameter_names
from stratvector.trading.nearest import suggestion
from stratvector.trading.strategy import Strategy

Point = dict[str, Any]
Where = Callable[[Any], bool]


class Parameters(SimpleNamespace):
    """The values of a point, as attributes and as items: what `where` is asked about."""

    def __getitem__(self, name: str) -> Any:
        """The value of a parameter."""
        return getattr(self, name)


class BadGrid(ValueError):
    """A grid that no sweep can run; one sentence."""


def grid_points(
    strategy: Strategy, grid: Mapping[str, Iterable[Any]], where: Where | None = None
) -> tuple[list[Point], list[Strategy]]:
    """Every combination of the grid that `where` keeps, and the strategy of each.

    Raises BadGrid for a name that is no parameter, one without a value, a grid without a point, and
    for a point whose numbers break a rule of the strategy.
    """
    values = _values(strategy, grid)
    points = [dict(zip(values, each, strict=True)) for each in product(*values.values())]
    kept = [point for point in points if where is None or where(Parameters(**point))]
    if not kept:
        raise BadGrid(f"where keeps none of the {len(points):,} points of the grid")
    return kept, [_placed(strategy, point) for point in kept]


def _values(strategy: Strategy, grid: Mapping[str, Iterable[Any]]) -> dict[str, list[Any]]:
    known = parameter_names(type(strategy))
    if not grid:
        raise BadGrid(f"a grid needs at least one parameter of {strategy.name}: {', '.join(known)}")
    values = {}
    for name, given in grid.items():
        if name not in known:
            near = suggestion(str(name), known)
            raise BadGrid(f"{name!r} is no parameter of {strategy.name}: {near}")
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise BadGrid(f"the grid gives {name} = {given!r}; it must be a list of values")
        values[name] = [each.item() if hasattr(each, "item") else each for each in given]
        if not values[name]:
            raise BadGrid(f"the grid has no value of {name}")
    return values


def _placed(strategy: Strategy, point: Point) -> Strategy:
    try:
        return replace(strategy, **point)
    except ValueError as error:
        hint = "leave such points out by where=lambda p: ..."
        raise BadGrid(f"{error}; {hint}") from error
