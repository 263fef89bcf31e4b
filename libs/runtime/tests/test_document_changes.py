"""Where two documents differ is told value by value, and things with a name are held against their
namesakes, whatever their order.
"""

import json
from typing import Any

import pytest

from stratvector.runtime.change_words import lines
from stratvector.runtime.document_changes import changes, described, engine_change
from stratvector.trading.chapters import Chapter, ChapterBars


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}, []),
        ({"a": {"b": 0.4}}, {"a": {"b": 0.35}}, [("a.b", "0.4", "0.35")]),
        ({"a": None}, {"a": 0}, [("a", "null", "0")]),
        ({"a": 1}, {"a": True}, [("a", "1", "true")]),
        ({"a": 1}, {}, [("a", "1", "absent")]),
        ({}, {"é": "ü"}, [("é", "absent", '"ü"')]),
        ([1, 2], [1, 3, 4], [("[1]", "2", "3"), ("[2]", "absent", "4")]),
        (
            {"models": [{"name": "x", "budget": 1}, {"name": "y", "budget": 2}]},
            {"models": [{"name": "y", "budget": 3}, {"name": "x", "budget": 1}]},
            [("models[y].budget", "2", "3")],
        ),
        (
            [{"symbol": "A", "lot": 1}],
            [{"symbol": "B", "lot": 1}],
            [
                ("[A]", '{"symbol": "A", "lot": 1}', "absent"),
                ("[B]", "absent", '{"symbol": "B", "lot": 1}'),
            ],
        ),
    ],
)
def test_each_value_that_differs_is_told_with_its_place(
    before: Any, after: Any, told: list[tuple[str, str, str]]
) -> None:
    found = [(one["place"], one["before"], one["after"]) for one in changes(before, after)]
    assert found == told


def test_an_added_symbol_is_one_line_and_its_source_repeats_nothing() -> None:
    def document(*symbols: str) -> dict[str, Any]:
        instruments = [{"symbol": one, "lot_size": "1"} for one in symbols]
        universe = {"name": "coins", "instruments": instruments}
        sources = {"coins": {"load": {"symbols": list(symbols), "first": len(symbols)}}}
        return {"portfolio": {"universes": [universe]}, "sources": sources}

    assert list(lines(list(changes(document("A", "B"), document("NEW", "A", "B"))))) == [
        "symbol NEW of universe coins: added",
        "sources.coins.load.first: 2 → 3",
    ]


def test_a_model_that_comes_or_goes_is_one_line_with_its_strategy() -> None:
    def document(**strategies: dict[str, Any]) -> dict[str, Any]:
        models = [
            {"name": name, "universe": "crypto", "budget_fraction": 0.07} for name in strategies
        ]
        told = {
            name: {"class": f"a.b:{kind}", "version": "1.0.0", "source": "0123", "parameters": p}
            for name, parameters in strategies.items()
            for kind, p in [("SmaCross" if parameters else "Hold", parameters)]
        }
        return {"portfolio": {"models": models}, "strategies": told}

    empty, both = document(), document(hold={}, trend={"fast": 10, "by": "close", "band": None})
    assert list(lines(list(changes(empty, both)))) == [
        "model hold: added, Hold 1.0.0, budget 7 % of universe crypto",
        "model trend: added, SmaCross 1.0.0 (fast 10, by close, band null), "
        "budget 7 % of universe crypto",
    ]
    assert list(lines(list(changes(both, document(hold={}))))) == ["model trend: removed"]


def test_what_becomes_of_lots_is_told_with_the_model() -> None:
    def document(*models: str, **fates: str) -> dict[str, Any]:
        return {
            "portfolio": {"models": [{"name": one} for one in models], "on_removal": fates},
            "strategies": {one: {} for one in models},
        }

    both, one = document("x", "y"), document("x", y="manual")
    assert list(lines(list(changes(both, one)))) == [
        "model y: removed, what it holds is kept by manual"
    ]
    said_before = document("x", "y", y="manual")
    assert list(lines(list(changes(both, said_before)))) == [
        "model y: once removed, what it holds is kept by manual"
    ]
    assert list(lines(list(changes(said_before, one)))) == ["model y: removed"]
    sold = document("x", y="manual", manual="sell")
    assert list(lines(list(changes(one, sold)))) == ["model manual: what it holds is sold"]
    assert list(lines(list(changes(sold, one)))) == ["model manual: what it holds is kept"]
    assert list(lines(list(changes(one, document("x"))))) == [
        "model y: once removed, what it holds is sold"
    ]


def test_a_models_new_version_is_told_in_words() -> None:
    def document(kind: str, version: str, source: str, **parameters: object) -> dict[str, Any]:
        told = {"class": kind, "version": version, "source": source, "parameters": parameters}
        return {"strategies": {"trend": told}}

    before = document("a.b:Old", "1.0", "0123", window=3, threshold=0.1)
    after = document("a.b:New", "2.0", "4567", window=5, name="x", threshold=0.1)
    assert list(lines(list(changes(before, after)))) == [
        "model trend: class a.b:Old → a.b:New",
        "model trend: name absent → x",
        "model trend: window 3 → 5",
        "model trend: code 0123 → 4567",
        "model trend: version 1.0 → 2.0",
    ]


def chapter(symbols: list[str], *closing: str) -> Chapter:
    instruments = [{"symbol": one} for one in symbols]
    document = json.dumps(
        {"portfolio": {"universes": [{"name": "us", "instruments": instruments}]}}
    )
    return Chapter("main", 1, "e", document, (ChapterBars("us", "h", 1, 0, closing),), "replay.1")


def test_a_symbol_that_goes_is_one_line_at_each_step() -> None:
    both, sold, gone = chapter(["A", "B"]), chapter(["A", "B"], "B"), chapter(["A"])
    told = [
        list(lines(list(changes(described(before), described(after)))))
        for before, after in ((both, sold), (sold, gone), (sold, both), (both, gone))
    ]
    assert told == [
        ["symbol B of universe us: wanted no more, sold until it is flat"],
        ["symbol B of universe us: removed"],
        ["symbol B of universe us: wanted again"],
        ["symbol B of universe us: removed"],
    ]


def test_another_engine_is_one_line_and_the_same_one_none() -> None:
    assert list(lines(engine_change("abc", "def"))) == ["engine abc → def"]
    assert engine_change("abc", "abc") == []
