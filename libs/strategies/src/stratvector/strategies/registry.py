"""The models by id: what config files, the command line and the services name them by."""

from collections.abc import Mapping
from dataclasses import fields
from inspect import isabstract
from types import MappingProxyType
from typing import Any, TypeVar

from stratvector.strategies.bad_strategy import NotRegistrable, UnknownModel, UnknownParameter
from stratvector.strategies.parameters import check_types
from stratvector.trading.strategy import Strategy

Model = TypeVar("Model", bound=type[Strategy])

FILES = "stratvector_file"  # what the modules of strategy files are below

_models: dict[str, type[Strategy]] = {}

MODELS: Mapping[str, type[Strategy]] = MappingProxyType(_models)
"""Every registered model by its id (`Strategy.name`). The house's own are there on import."""


def register(model: Model) -> Model:
    """Class decorator, above @dataclass(frozen=True): make the class known by its `name`.

    Defining a class again (a notebook's cell, a reload) replaces it. Raises NotRegistrable for
    what is not a complete frozen dataclass of Strategy with a name, or for a name that is taken.
    """
    check_complete(model)
    taken = _models.get(model.name)
    if taken is not None and _place(taken) != _place(model):
        raise NotRegistrable(
            model.__qualname__, f"the name {model.name!r} is taken by {'.'.join(_place(taken))}"
        )
    _models[model.name] = model
    return model


def create(model_id: str, parameters: Mapping[str, Any], bars_per_day: int) -> Strategy:
    """The registered model with these parameters, defaults for those that are not given.

    bars_per_day : closes of the model's universe in a day, so that `*_days` mean days.
    Raises UnknownModel, UnknownParameter, WrongParameterType or ImpossibleParameter.
    """
    model = MODELS.get(model_id)
    if model is None:
        raise UnknownModel(model_id, tuple(sorted(MODELS)))
    return made(model, parameters, bars_per_day)


def made(model: type[Strategy], parameters: Mapping[str, Any], bars_per_day: int) -> Strategy:
    """A model of this class; see `create`.

    Raises UnknownParameter, WrongParameterType or ImpossibleParameter.
    """
    known = parameter_names(model)
    for name in parameters:
        if name not in known:
            raise UnknownParameter(model.name, name, known)
    strategy = model(**parameters, bars_per_day=bars_per_day)
    check_types(strategy)
    return strategy


def parameter_names(model: type[Strategy]) -> tuple[str, ...]:
    """What a user may set of a model; `bars_per_day` follows from its universe."""
    return tuple(f.name for f in fields(model) if f.init and f.name != "bars_per_day")


def check_complete(model: type[Strategy]) -> None:
    """Refuse a class that no run can make a model of. Raises NotRegistrable."""
    if isabstract(model):
        raise NotRegistrable(model.__qualname__, "it must say its `history` and `features`")
    if "__dataclass_params__" not in vars(model):
        raise NotRegistrable(model.__qualname__, "it must be a @dataclass(frozen=True) itself")
    if not getattr(model, "name", "").strip():
        raise NotRegistrable(model.__qualname__, "its `name` must be non-empty text")


def _place(model: type[Strategy]) -> tuple[str, str]:
    """Another version of a strategy file is the same place: its module's name ends as before."""
    module = model.__module__
    return module.rpartition(".")[2] if module.startswith(
        f"{FILES}."
    ) else module, model.__qualname__
