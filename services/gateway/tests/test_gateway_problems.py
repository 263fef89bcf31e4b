"""Every failure is a declared status with a problem document, whatever a client sends."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from stratvector.runtime.peer import REFUSALS, Away, Failed, Refused, Stranger, TooSlow
from stratvector.services.gateway.api.problems import DEFECT, status_of
from stratvector.services.gateway.api.values import DecimalText, Shape
from stratvector.services.gateway.event_bodies import decimal_text, money

InHouse = Callable[..., None]
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")
NO_VALUES = ("", " ", "null", "-1", "1e9", "NaN", "é", "\x00", "9" * 70, "[]", "2020-02-30")
NO_BODIES: tuple[Any, ...] = ([], 0, "x", {"config": 1}, {"start": None}, {"end": {}})


def check(answer: Any, document: Any = None) -> None:
    """That an answer is what the document declares, and a failure is told as RFC 9457 has it."""
    operation = (document or {}).get(answer.request.method.lower())
    if operation is not None:
        assert str(answer.status_code) in operation["responses"], answer.text
    if answer.status_code < 400 or answer.request.method == "HEAD":
        return
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    assert "\n" not in problem["detail"]
    assert "Traceback" not in problem["detail"]
    assert "nosniff" in answer.headers["x-content-type-options"]


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path.replace("{job_id}", "none"), method.upper(), operation


async def described(house: Any) -> Any:
    return (await house.client.get("/api/openapi.json")).json()


def test_every_route_answers_every_method_and_every_wrong_value_as_it_declares(
    in_house: InHouse,
) -> None:
    async def ask(house: Any) -> None:
        document = await described(house)
        for path, methods in document["paths"].items():
            at = path.replace("{job_id}", "none")
            for method in METHODS:
                answer = await house.client.request(method, at)
                check(answer, methods)
                known = method.lower() in methods or (method == "HEAD" and "get" in methods)
                assert (answer.status_code == 405) == (not known and method != "OPTIONS")
                if answer.status_code in (204, 405):
                    allowed = {one.upper() for one in methods} | {"OPTIONS"}
                    assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == allowed
            for value in NO_VALUES:
                for parameter in methods.get("get", {}).get("parameters", ()):
                    if parameter["in"] == "query":
                        query = {parameter["name"]: value}
                        check(await house.client.get(at, params=query), methods)
        for body in NO_BODIES:
            answer = await house.client.post("/api/backtesting", json=body)
            assert answer.status_code == 422
            check(answer, document["paths"]["/api/backtesting"])

    in_house(ask)


def test_an_unknown_or_repeated_key_is_refused_with_the_nearest(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        for path, method, operation in operations(await described(house)):
            answer = await house.client.request(method, path, params={"limt": "1"}, json={})
            assert answer.status_code == 422
            check(answer, {method.lower(): operation})
            keys = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
            near = next((key for key in ("limit", "time") if key in keys), "portfolio")
            end = f"the nearest is {near}" if keys else "it takes none"
            assert answer.json()["detail"] == f"{path} takes no query key 'limt'; {end}"
        twice = await house.client.get("/api/trading/orders?limit=1&limit=2")
        assert twice.json()["detail"] == "query key 'limit' is given twice"

    in_house(ask)


def test_what_is_sent_and_taken_is_json_and_nothing_else(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        for accept in ("text/html", "application/json;q=0", "application/xml, text/*"):
            answer = await house.client.get("/api/monitoring", headers={"Accept": accept})
            check(answer)
            assert answer.status_code == 406
        for accept in ("text/html, */*;q=0.1", "application/json", "application/*"):
            answer = await house.client.get("/api/monitoring", headers={"Accept": accept})
            assert answer.status_code == 200
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
            answer = await house.client.post(
                "/api/backtesting", content=b"{}", headers={"Content-Type": kind}
            )
            check(answer)
            assert answer.status_code == 415
            assert answer.json()["detail"] == (
                f"the body is sent as {kind}; send it as application/json"
            )
        for content in (b"\xff\xfe", b"{", b"[" * 100_000, b'{"config": "\\ud800"}'):
            answer = await house.client.post(
                "/api/backtesting", content=content, headers={"Content-Type": "application/json"}
            )
            check(answer)
            assert answer.status_code == 422

    in_house(ask)


def test_head_is_get_without_a_body_and_a_large_answer_is_packed(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        for path in ("/api/portfolio", "/api/trading/orders", "/api/docs", "/api/openapi.json"):
            got, head = await house.client.get(path), await house.client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            for name in ("content-type", "content-length", "content-encoding"):
                assert head.headers.get(name) == got.headers.get(name)
        large = await house.client.get("/api/trading/orders", headers={"Accept-Encoding": "gzip"})
        assert large.headers["content-encoding"] == "gzip"
        assert int(large.headers["content-length"]) < len(large.content) / 4
        plain = await house.client.get("/api/trading/orders", headers={"Accept-Encoding": ""})
        assert "content-encoding" not in plain.headers
        assert plain.json() == large.json()
        small = await house.client.get("/api/montecarlo/scenarios")
        assert "content-encoding" not in small.headers

    in_house(ask)


def test_a_defect_is_a_problem_that_tells_nothing_of_itself(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        house.context.live.instruments.clear()  # which the ledger's orders name
        answer = await house.client.get("/api/trading/orders")
        check(answer)
        assert (answer.status_code, answer.json()["detail"]) == (500, DEFECT)

    in_house(ask)


class Money(Shape):
    """A shape with money."""

    money: DecimalText


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0E-8", "0.00000000"),
        ("-0E-8", "0.00000000"),
        ("1E+3", "1000"),
        ("1.40E-8", "0.0000000140"),
        ("-125453.43", "-125453.43"),
        ("1E-30", "0.000000000000000000000000000001"),
        ("123456789012345678901234567890.12", "123456789012345678901234567890.12"),
    ],
)
def test_a_decimal_travels_as_digits_alone(value: str, text: str) -> None:
    assert decimal_text(Decimal(value)) == text
    assert json.loads(Money(money=Decimal(value)).model_dump_json()) == {"money": text}


def test_the_engines_money_is_rounded_as_the_ledgers_is_and_what_is_none_is_none() -> None:
    assert money(0.1 + 0.2) == Decimal("0.30000000")
    assert str(money(1e-9)) == "0E-8"
    assert str(money(1e22)) == "10000000000000000000000.00000000"
    assert [money(float(text)) for text in ("nan", "inf", "-inf")] == [None, None, None]


def test_each_way_to_give_no_answer_has_its_status() -> None:
    statuses = [status_of(kind("why")) for kind in (Away, Stranger, TooSlow, Failed)]
    assert statuses == [503, 503, 504, 503]
    assert {code.name: status_of(Refused("why", code)) for code in REFUSALS} == {
        "INVALID_ARGUMENT": 422,
        "NOT_FOUND": 404,
        "FAILED_PRECONDITION": 409,
        "RESOURCE_EXHAUSTED": 429,
    }
