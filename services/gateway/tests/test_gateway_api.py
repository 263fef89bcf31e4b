"""What REST answers is what the owners of the data say, and every failure is one sentence."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from stratvector.trading.fills import FillKind
from stratvector.trading.timestamps import utc_text
from tests.sessions.simulated_flow import Flow

InHouse = Callable[..., None]
TINY = Decimal("0.0000001")
GATEWAY_ROUTES = (
    "/api/portfolio",
    "/api/portfolio/summary",
    "/api/portfolio/positions",
    "/api/portfolio/equity",
    "/api/portfolio/attribution",
    "/api/trading/orders",
    "/api/trading/fills",
    "/api/strategies",
    "/api/backtesting",
    "/api/backtesting/job-0",
    "/api/montecarlo/scenarios",
)


async def got(house: Any, path: str, status: int = 200, **params: Any) -> Any:
    answer = await house.client.get(path, params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_the_summary_is_the_ledgers_account_with_risks_and_drifts_figures(
    in_house: InHouse,
) -> None:
    async def ask(house: Any) -> None:
        summary, last = await got(house, "/api/portfolio/summary"), house.flow.entries[-1]
        start = house.flow.session.portfolio.initial_cash
        assert abs(Decimal(summary["equity"]) - last.equity) <= Decimal("0.00000001")
        assert Decimal(summary["pnl"]) == Decimal(summary["equity"]) - start
        assert summary["total_return"] == float(Decimal(summary["equity"]) / start) - 1.0
        assert summary["close_time"] == utc_text(last.close_time)
        assert summary["closes"] == len(house.flow.entries)
        orders = sum(len(entry.decision.orders) for entry in house.flow.entries)
        fills = sum(event.kind is FillKind.FILLED for event in house.flow.events)
        assert (summary["orders"], summary["fills"]) == (orders, fills)
        assert orders > 0
        equities = [decision.equity for decision in house.flow.decisions]
        peak = max(float(start), *equities)
        assert summary["drawdown"] == equities[-1] / peak - 1.0
        assert (summary["var_95"], summary["cvar_95"]) == (0.021, 0.034)
        assert summary["value_at_risk"]["as_of"] == "2020-09-13T12:26:40Z"
        assert [one["score"] for one in summary["drift"]] == [0.25, None]
        assert summary["drift"][1]["reason"] == "too few values"
        assert (summary["halted_since"], summary["halts"]) == (None, [])
        age = summary["value_at_risk"]["stale"]
        assert age.endswith("behind the newest close")
        assert summary["unavailable"] == {"value_at_risk": age}
        house.risk.as_of = last.close_time
        summary = await got(house, "/api/portfolio/summary")
        assert summary["value_at_risk"]["stale"] == ""
        assert summary["unavailable"] == {}

    in_house(ask)


def test_a_summary_without_value_at_risk_says_why(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        house.risk.decided = False
        summary = await got(house, "/api/portfolio/summary")
        assert summary["var_95"] is None
        assert summary["unavailable"] == {"risk": "nothing is decided yet"}

    in_house(ask)


def test_positions_are_the_ledgers_lots_at_the_newest_marks(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        held = (await got(house, "/api/portfolio/positions"))["positions"]
        last, instruments = house.flow.entries[-1], house.context.live.instruments
        quantities = {one["symbol"]: Decimal(one["quantity"]) for one in held}
        expected = {s: instruments[s].quantity(lots) for s, lots in last.positions.items()}
        assert {s: q for s, q in quantities.items() if q} == expected
        assert expected
        value = sum(Decimal(one["value"]) for one in held)
        assert abs(value + last.cash - last.equity) < Decimal("0.0000001")
        for one in held:
            parts = sum(Decimal(part) for part in one["models"].values())
            assert parts == Decimal(one["quantity"])

    in_house(ask)


def test_a_positions_profit_is_its_value_less_what_it_cost(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        held = (await got(house, "/api/portfolio/positions"))["positions"]
        known = [one for one in held if one["entry_price"] is not None]
        assert known
        assert known == [one for one in held if Decimal(one["quantity"])]
        for one in known:
            cost = Decimal(one["quantity"]) * average_cost(house.flow, one["symbol"])
            assert abs(Decimal(one["unrealised_pnl"]) - Decimal(one["value"]) + cost) < TINY
            rest = Decimal(one["entry_price"]) - average_cost(house.flow, one["symbol"])
            assert abs(rest) < TINY
            assert set(one["unrealised_pnl"]) <= set("-.0123456789")

    in_house(ask)


def test_an_entry_price_of_other_lots_is_not_told(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        held = (await got(house, "/api/portfolio/positions"))["positions"]
        symbol = next(one["symbol"] for one in held if one["entry_price"] is not None)
        holding = house.context.live.account.holdings[symbol]
        later = replace(holding, lots=holding.lots + 1)
        house.context.live.account.holdings[symbol] = later
        held = (await got(house, "/api/portfolio/positions"))["positions"]
        one = next(one for one in held if one["symbol"] == symbol)
        assert (one["entry_price"], one["unrealised_pnl"]) == (None, None)
        assert one["value"] is not None

    in_house(ask)


def average_cost(flow: Flow, symbol: str) -> Decimal:
    """Of what is held after all executions, by their definition: each sale leaves it alone."""
    lots, cost = 0, Decimal(0)
    fills = [e for e in flow.events if e.kind is FillKind.FILLED and e.symbol == symbol]
    for event in fills:
        adds = lots == 0 or (lots > 0) == (event.lots > 0)
        left = lots + event.lots
        if adds:
            cost += event.lots * event.price
        elif left and (left > 0) != (lots > 0):
            cost = left * event.price
        else:
            cost = cost * left / lots
        lots = left
    return cost / lots


def test_pages_of_orders_fills_and_closes_are_the_whole_record_in_order(
    in_house: InHouse,
) -> None:
    async def ask(house: Any) -> None:
        entries = house.flow.entries
        orders = await every(house, "/api/trading/orders", "orders")
        decided = [order for entry in entries for order in entry.decision.orders]
        assert [one["order_id"] for one in orders] == [order.order_id for order in decided]
        assert {one["side"] for one in orders} == {"buy", "sell"}
        fills = await every(house, "/api/trading/fills", "fills")
        events = [e for entry in entries for e in entry.events if e.kind is FillKind.FILLED]
        assert [one["execution_id"] for one in fills] == [e.execution_id for e in events]
        assert [Decimal(one["price"]) for one in fills] == [e.price for e in events]
        closes = await every(house, "/api/portfolio/equity", "closes")
        assert [one["close_time"] for one in closes] == [utc_text(e.close_time) for e in entries]

    in_house(ask)


def test_the_newest_first_is_the_oldest_first_reversed_and_a_cursor_goes_on_either_way(
    in_house: InHouse,
) -> None:
    async def ask(house: Any) -> None:
        for path, key in (
            ("/api/trading/orders", "orders"),
            ("/api/trading/fills", "fills"),
            ("/api/portfolio/equity", "closes"),
        ):
            oldest = await every(house, path, key)
            assert await every(house, path, key, order="desc") == oldest[::-1]
            page = await got(house, path, limit=7)
            back = await got(house, path, limit=7, cursor=page["next_cursor"], order="desc")
            assert back[key] == oldest[:6][::-1]
            assert back["next_cursor"] is None
            assert page["next_cursor"].startswith(f"{key}.")

    in_house(ask)


async def every(house: Any, path: str, key: str, **params: Any) -> list[dict[str, Any]]:
    """All pages, a few records each."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        page = await got(house, path, limit=7, cursor=cursor, **params)
        assert len(page[key]) <= 7
        found += page[key]
        cursor, pages = page["next_cursor"], pages + 1
    assert pages > 1
    return found


def test_a_range_of_closes_holds_both_its_ends(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        entries = house.flow.entries
        start, end = utc_text(entries[10].close_time), utc_text(entries[12].close_time)
        page = await got(house, "/api/portfolio/equity", start=start, end=end)
        times = [one["close_time"] for one in page["closes"]]
        assert times == [utc_text(entry.close_time) for entry in entries[10:13]]
        results = (await got(house, "/api/portfolio/attribution"))["models"]
        earned = sum(Decimal(one["profit"]) for one in results)
        gain = entries[-1].equity - house.flow.session.portfolio.initial_cash
        assert abs(earned - gain) < Decimal("0.0000001")

    in_house(ask)


def test_strategies_tell_unknown_weights_as_null(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        (model,) = (await got(house, "/api/strategies"))["strategies"]
        assert model["weights"] == {"AAA": 0.5, "BBB": None}
        assert model["last_close"] is None

    in_house(ask)


def test_a_backtest_is_submitted_asked_for_and_listed(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        answer = await house.client.post("/api/backtesting", json={"start": "2020-01-01"})
        assert answer.status_code == 202
        assert answer.json()["state"] == "queued"
        assert answer.json()["config"] == "system.yaml"
        job = await got(house, answer.headers["location"])
        assert (job["state"], job["progress"]) == ("done", 1.0)
        assert job["metrics"] == {"sharpe_ratio": 1.5, "alpha": None}
        await house.client.post("/api/backtesting", json={})
        jobs = (await got(house, "/api/backtesting"))["jobs"]
        assert [one["id"] for one in jobs] == ["job-1", "job-0"]

    in_house(ask)


def test_what_a_service_refuses_is_its_own_sentence(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        missing = await got(house, "/api/backtesting/none", status=404)
        assert missing["detail"] == "there is no job 'none'"
        wrong = await house.client.post("/api/backtesting", json={"config": "../x.yaml"})
        assert (wrong.status_code, wrong.json()["detail"]) == (422, "config leaves its folder")
        for _ in range(2):
            await house.client.post("/api/backtesting", json={})
        full = await house.client.post("/api/backtesting", json={})
        assert (full.status_code, full.json()["detail"]) == (429, "2 jobs wait already")
        broken = await got(house, "/api/montecarlo/scenarios", status=503)
        assert broken["detail"] == "monte_carlo failed: the workers are gone"

    in_house(ask)


def test_bad_questions_are_one_sentence_each(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        path = "/api/portfolio/equity"
        few = await got(house, path, status=422, limit=0)
        assert few["detail"] == "limit can't be '0': input should be greater than or equal to 1"
        many = await got(house, path, status=422, limit=1001)
        assert many["detail"] == (
            "limit can't be '1001': input should be less than or equal to 1000"
        )
        for text in ("yesterday", "2018-13-01", "2018-01-01T00:00:00+02:00"):
            bad = await got(house, path, status=422, start=text)
            assert bad["detail"].startswith(f"{text!r} is no time; write it as ")
        for text in ("9999-12-31", "0001-01-01T00:00:00Z", "2200-01-01T00:00:00.000000001Z"):
            far = await got(house, path, status=422, end=text)
            assert far["detail"] == (
                f"{text!r} is out of range: times lie within the years 1850 to 2199"
            )
        for text in ("1850-01-01", "2199-12-31"):
            await got(house, path, start=text)
        for start, end in (("2020-01-02", "2020-01-01"), ("2020-01-01T00:00:00.1Z", "2020-01-01")):
            late = await got(house, path, status=422, start=start, end=end)
            assert late["detail"] == f"start is {start!r}; it must not be after end, {end!r}"
        for cursor in ("x", "closes.", "closes.x", "closes.1.2", "orders.1.2", "closes.-0"):
            bad = await got(house, path, status=422, cursor=cursor)
            assert bad["detail"] == (
                f"cursor can't be {cursor!r}: it must be the next_cursor of a page of closes"
            )
        bad = await got(house, path, status=422, order="down")
        assert bad["detail"] == "order can't be 'down': input should be 'asc' or 'desc'"
        sent = {"Content-Type": "application/json"}
        posted = await house.client.post("/api/backtesting", content=b"{", headers=sent)
        assert posted.status_code == 422
        assert posted.json()["detail"] == "the body is not a JSON object sent as application/json"
        unknown = await house.client.post("/api/backtesting", json={"strat": 1})
        assert unknown.json()["detail"] == "the body has no key 'strat'; the nearest is start"
        nothing = await got(house, "/api/nothing", status=404)
        assert nothing["detail"] == "there is no /api/nothing; /api/docs tells what there is"

    in_house(ask)


def test_a_service_that_is_away_is_503_and_named_at_every_route(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        for path in GATEWAY_ROUTES:
            answer = await got(house, path, status=503)
            service = answer["detail"].partition(" ")[0]
            assert answer["detail"] == (
                f"{service} is not configured: {service}_grpc names no address"
            )

    in_house(ask, services=False)


def test_every_documented_route_is_in_the_house(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        paths = (await got(house, "/api/openapi.json"))["paths"]
        plain = {path.replace("job-0", "{job_id}") for path in GATEWAY_ROUTES}
        asked = {"/api/trading/explain", "/api/trading/rejections"}
        of_gateway = {"/api/monitoring", "/api/monitoring/metrics", "/api/portfolios"}
        of_lanes = {"/api/chapters"}
        assert set(paths) == plain | asked | of_gateway | of_lanes

    in_house(ask)


def test_a_question_names_its_portfolio_or_means_the_one_that_began_last(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        portfolio = house.flow.session.portfolio
        last = replace(portfolio, name="later", run="replay.2")
        house.gateway.begin(last, None)
        found = (await got(house, "/api/portfolios"))["portfolios"]
        assert [(one["portfolio"], one["run"], one["state"]) for one in found] == [
            (portfolio.name, portfolio.run, "finished"),
            ("later", "replay.2", "waiting"),
        ]
        assert (await house.client.get("/api/portfolio")).status_code == 404  # of the ledger
        told = await got(house, "/api/portfolio", portfolio=portfolio.name)
        assert (told["name"], told["run"]) == (portfolio.name, portfolio.run)
        refused = await got(house, "/api/portfolio", 404, portfolio=portfolio.name, run="replay.2")
        there = f"{portfolio.name} in {portfolio.run}, later in replay.2"
        assert refused["detail"].endswith(f"in replay.2; there is {there}")

    in_house(ask)


def test_the_documentation_names_no_other_place(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        for path in ("/api/docs", "/api/redoc"):
            page = (await house.client.get(path)).text
            assert "/api/assets/" in page
            assert "://" not in page.replace("http://www.w3.org", "")
        for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js"):
            assert (await house.client.get(f"/api/assets/{asset}")).status_code == 200
        bundle = (await house.client.get("/api/assets/redoc.standalone.js")).text
        assert "cdn.redoc.ly" not in bundle

    in_house(ask)
