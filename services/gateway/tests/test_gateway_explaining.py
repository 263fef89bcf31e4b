"""`/api/trading/explain` and `/api/trading/rejections` say what the ledger recorded, or why not."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stratvector.trading.fills import FillKind
from stratvector.trading.reasons import REJECTED
from stratvector.trading.timestamps import utc_text

InHouse = Callable[..., None]
EXPLAIN = "/api/trading/explain"


async def got(house: Any, path: str, status: int = 200, **params: Any) -> Any:
    answer = await house.client.get(path, params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_an_order_and_its_symbol_at_its_close_have_one_explanation(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        entries = house.flow.entries
        executed = {
            event.order_id: event
            for entry in entries
            for event in entry.events
            if event.kind is FillKind.FILLED
        }
        entry, order = next(
            (entry, order)
            for entry in entries
            for order in entry.decision.orders
            if order.order_id in executed
        )
        told = await got(house, EXPLAIN, order=order.order_id)
        when = utc_text(entry.close_time)
        assert told == await got(house, EXPLAIN, symbol=order.symbol, time=when)
        assert (told["symbol"], told["close_time"]) == (order.symbol, when)
        assert told["outcome"] == "ordered"
        assert told["order"]["order_id"] == order.order_id
        assert Decimal(told["fills"][0]["price"]) == executed[order.order_id].price
        assert Decimal(told["mark"]) == entry.marks[order.symbol]
        assert [one["stage"] for one in told["stages"]][-1] == "drawdown"
        wished = sum(Decimal(one["quantity"]) for one in told["models"])
        signed = 1 if told["order"]["side"] == "buy" else -1
        assert wished == signed * Decimal(told["order"]["quantity"])

    in_house(ask)


def test_rejections_open_into_symbols_and_closes(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        counts: Counter[tuple[str, str]] = Counter(
            (one.outcome.name.lower(), one.symbol)
            for entry in house.flow.entries
            for one in entry.decision.symbols
            if one.outcome in REJECTED
        )
        told = await got(house, "/api/trading/rejections")
        listed = {(one["reason"], one["symbol"]): one["count"] for one in told["rejections"]}
        assert (listed, told["total"]) == (dict(counts), counts.total())
        for (reason, symbol), count in counts.most_common(1):
            each = await got(house, "/api/trading/rejections", reason=reason, symbol=symbol)
            assert len(each["rejections"]) == each["total"] == count

    in_house(ask)


@pytest.mark.parametrize(
    ("path", "params", "status", "said"),
    [
        (EXPLAIN, {}, 422, "name an order, or a symbol with or without a time"),
        (EXPLAIN, {"order": "nothing"}, 404, "there is no order 'nothing'"),
        (EXPLAIN, {"symbol": "NOTHING"}, 404, "the portfolio has no symbol 'NOTHING'"),
        (EXPLAIN, {"symbol": "A", "time": "soon"}, 422, "'soon' is no time"),
        ("/api/trading/rejections", {"reason": "below_bnd"}, 422, "did you mean below_band?"),
    ],
)
def test_what_can_not_be_explained_is_one_sentence(
    in_house: InHouse, path: str, params: dict[str, str], status: int, said: str
) -> None:
    async def ask(house: Any) -> None:
        answer = await got(house, path, status, **params)
        assert said in answer["detail"]

    in_house(ask)


def test_a_listed_order_names_models_reason_and_stage_as_its_explanation_does(
    in_house: InHouse,
) -> None:
    async def ask(house: Any) -> None:
        listed = (await got(house, "/api/trading/orders", limit=500))["orders"]
        assert len(listed) == sum(len(entry.decision.orders) for entry in house.flow.entries) > 0
        for order in listed:
            told = await got(house, EXPLAIN, order=order["order_id"])
            assert told["order"] == order
            cut = [stage["stage"] for stage in told["stages"] if stage["cut"]]
            assert order["stage"] == (cut[-1] if cut else "netted")
            assert order["reason"] in ("target", "expired", "halted")
            assert sum(map(Decimal, order["models"].values())) == signed(order)
        assert len({order["stage"] for order in listed}) > 1, "no order met a limit"

    in_house(ask)


def signed(order: Any) -> Decimal:
    quantity = Decimal(order["quantity"])
    return quantity if order["side"] == "buy" else -quantity
