"""The two functions of a codec, compiled from the rules of its fields.

An expression such as `noun(wire.symbol, back_1(wire.outcome))` is as fast as one that stands in a
file, where a loop over rules takes half as long again. Its only parts that vary are names of
fields, which Python and protobuf have let pass.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

from google.protobuf.descriptor import FieldDescriptor

Convert = Callable[[Any], Any]


class Rule(NamedTuple):
    """How one field travels.

    there, back : conversions of its value, None: it stays as it is. may_miss : None in the noun is
    an absent field of the message.
    """

    name: str
    wire: FieldDescriptor
    there: Convert | None
    back: Convert | None
    may_miss: bool


def writer(rules: Sequence[Rule]) -> Callable[[Any], dict[str, Any]]:
    """From a noun to what its message is made of, by field. Raises TypeError for a None."""
    entries = [
        f"{rule.wire.name!r}: " + (f"there_{place}({value})" if rule.there else value)
        for place, rule in enumerate(rules)
        for value in [f"noun.{rule.name}"]
    ]
    used = {f"there_{place}": rule.there for place, rule in enumerate(rules)}
    display = _compiled(f"lambda noun: {{{', '.join(entries)}}}", used)
    required = {rule.wire.name: rule.name for rule in rules if not rule.may_miss}

    def values(noun: Any) -> dict[str, Any]:
        found: dict[str, Any] = display(noun)
        if None in found.values():  # protobuf would take it for a field that is left out
            for wire, name in required.items():
                if found[wire] is None:
                    raise TypeError(f"{name} is None")
        return found

    return values


def reader(noun: Callable[..., Any], rules: Sequence[Rule]) -> Convert:
    """From a message to a noun, called with a value for each rule. Raises ValueError for a field
    that must not miss.
    """
    values = [_value(place, rule) for place, rule in enumerate(rules)]
    used = {f"back_{place}": rule.back for place, rule in enumerate(rules)}
    names = {"noun": noun, "missing": _refuse_missing}
    return _compiled(f"lambda wire: noun({', '.join(values)})", used | names)


def _value(place: int, rule: Rule) -> str:
    name = rule.wire.name
    value = f"back_{place}(wire.{name})" if rule.back else f"wire.{name}"
    if not rule.wire.has_presence:
        return value
    otherwise = "None" if rule.may_miss else f"missing({name!r})"
    return f"{value} if wire.HasField({name!r}) else {otherwise}"


def _refuse_missing(name: str) -> NoReturn:
    raise ValueError(f"{name} is missing")


def _compiled(source: str, used: dict[str, Any]) -> Convert:
    function: Convert = eval(source, used)
    return function
