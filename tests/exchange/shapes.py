"""The three venues' REST shapes, as their documents give them: markets and candles."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.exchange.prices import NANOSECONDS_PER_SECOND, Row

MINUTE = 60 * NANOSECONDS_PER_SECOND
HOUR = 60 * MINUTE
_BINANCE = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "1d": 1440}
_COINBASE = {
    "ONE_MINUTE": 1, "FIVE_MINUTE": 5, "FIFTEEN_MINUTE": 15, "THIRTY_MINUTE": 30, "ONE_HOUR": 60,
    "TWO_HOUR": 120, "SIX_HOUR": 360, "ONE_DAY": 1440,
}  # fmt: skip
Values = Mapping[str, str]  # a row's five values as text, by name


@dataclass(frozen=True)
class Asked:
    """What a request for candles wants: opens in first ≤ t ≤ last (UTC ns), or the newest."""

    symbol: str
    length: int
    first: int | None
    last: int | None
    limit: int
    newest: bool = False


@dataclass(frozen=True)
class Shape:
    """One venue's words. symbols : ours by its own. unknown : status and body of no symbol's."""

    symbols: Mapping[str, str]
    markets: Callable[[Mapping[str, str]], Any]
    asked: Callable[[Mapping[str, str]], Asked]
    page: Callable[[str, Sequence[tuple[int, Values]]], Any]
    unknown: tuple[int, Any]


def _binance_markets(query: Mapping[str, str]) -> Any:
    def market(name: str, ours: str) -> dict[str, Any]:
        base, quote = ours.split("-")
        price = {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00"}
        lots = {"filterType": "LOT_SIZE", "minQty": "0.0001", "maxQty": "9000.0"}
        return {
            "symbol": name,
            "status": "TRADING",
            "baseAsset": base,
            "baseAssetPrecision": 8,
            "quoteAsset": quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"],
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": [price | {"tickSize": "0.01"}, lots | {"stepSize": "0.0001"}],
            "permissions": ["SPOT"],
        }

    limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
    return {
        "timezone": "UTC",
        "rateLimits": [limit | {"limit": 6000}],
        "exchangeFilters": [],
        "symbols": [market(name, ours) for name, ours in BINANCE.symbols.items()],
    }


def _binance_asked(query: Mapping[str, str]) -> Asked:
    first, last = query.get("startTime"), query.get("endTime")
    return Asked(
        BINANCE.symbols[query["symbol"]],
        _BINANCE[query["interval"]] * MINUTE,
        int(first) * 1_000_000 if first else None,
        int(last) * 1_000_000 if last else None,
        min(int(query.get("limit", "500")), 1_000),
        newest=first is None,
    )


def _binance_page(symbol: str, rows: Sequence[tuple[int, Values]]) -> Any:
    return [
        [
            time // 1_000_000, v["open"], v["high"], v["low"], v["close"], v["volume"],
            time // 1_000_000 + 59_999, "0", 40, "0", "0", "0",
        ]
        for time, v in rows
    ]  # fmt: skip


def binance_stream(stream: str) -> tuple[str, int]:
    """Our symbol and the candle's length of "btcusdt@kline_1m"."""
    name, _, interval = stream.partition("@kline_")
    return BINANCE.symbols[name.upper()], _BINANCE[interval] * MINUTE


def binance_kline(stream: str, row: Row, length: int, now: int) -> Any:
    """What Binance's WebSocket tells of a candle."""
    name, _, interval = stream.partition("@kline_")
    kline = {
        "t": row.open_time // 1_000_000,
        "T": (row.open_time + length) // 1_000_000 - 1,
        "s": name.upper(),
        "i": interval,
        "o": str(row.open),
        "c": str(row.close),
        "h": str(row.high),
        "l": str(row.low),
        "v": str(row.volume),
        "x": row.open_time + length <= now,
    }
    return {"e": "kline", "E": now // 1_000_000, "s": name.upper(), "k": kline}


def _kraken_markets(query: Mapping[str, str]) -> Any:
    def market(name: str, ours: str) -> dict[str, Any]:
        base = name[:-4]
        short = base.removeprefix("X")
        return {
            "altname": f"{short}USD",
            "wsname": f"{short}/USD",
            "aclass_base": "currency",
            "base": base,
            "aclass_quote": "currency",
            "quote": "ZUSD",
            "lot": "unit",
            "pair_decimals": 2,
            "lot_decimals": 8,
            "lot_multiplier": 1,
            "leverage_buy": [],
            "leverage_sell": [],
            "fees": [[0, 0.26]],
            "fees_maker": [[0, 0.16]],
            "ordermin": "0.0001",
            "status": "online",
        }

    pairs = {name: market(name, ours) for name, ours in KRAKEN.symbols.items()}
    return {"error": [], "result": pairs}


def _kraken_asked(query: Mapping[str, str]) -> Asked:
    since = query.get("since")
    first = int(since) * NANOSECONDS_PER_SECOND + 1 if since else None
    length = int(query.get("interval", "1")) * MINUTE
    return Asked(KRAKEN.symbols[query["pair"]], length, first, None, 720, newest=True)


def _kraken_page(symbol: str, rows: Sequence[tuple[int, Values]]) -> Any:
    name = next(name for name, ours in KRAKEN.symbols.items() if ours == symbol)
    listed = [
        [
            time // NANOSECONDS_PER_SECOND, v["open"], v["high"], v["low"], v["close"], v["close"],
            v["volume"], 7,
        ]
        for time, v in rows
    ]  # fmt: skip
    last = listed[-1][0] if listed else 0
    return {"error": [], "result": {name: listed, "last": last}}


def _coinbase_markets(query: Mapping[str, str]) -> Any:
    def product(ours: str) -> dict[str, Any]:
        base, quote = ours.split("-")
        return {
            "product_id": ours,
            "price": "1",
            "base_increment": "0.0001",
            "quote_increment": "0.01",
            "price_increment": "0.01",
            "base_min_size": "0.0001",
            "base_max_size": "3400",
            "base_currency_id": base,
            "quote_currency_id": quote,
            "product_type": "SPOT",
            "trading_disabled": False,
            "alias_to": [],
        }

    spot = query.get("product_type", "SPOT") == "SPOT"
    products = [product(ours) for ours in COINBASE.symbols.values() if spot]
    return {"products": products, "num_products": len(products)}


def _coinbase_asked(query: Mapping[str, str]) -> Asked:
    start, end = (int(query[name]) * NANOSECONDS_PER_SECOND for name in ("start", "end"))
    length = _COINBASE[query["granularity"]] * MINUTE
    return Asked(COINBASE.symbols[query["product_id"]], length, start, end, 350)


def _coinbase_page(symbol: str, rows: Sequence[tuple[int, Values]]) -> Any:
    told = [{"start": str(time // NANOSECONDS_PER_SECOND), **values} for time, values in rows]
    return {"candles": told[::-1]}


BINANCE = Shape(
    {"BTCUSDT": "BTC-USDT", "ETHUSDT": "ETH-USDT", "SOLUSDT": "SOL-USDT"},
    _binance_markets,
    _binance_asked,
    _binance_page,
    (400, {"code": -1121, "msg": "Invalid symbol."}),
)
KRAKEN = Shape(
    {"XXBTZUSD": "BTC-USD", "XETHZUSD": "ETH-USD"},
    _kraken_markets,
    _kraken_asked,
    _kraken_page,
    (200, {"error": ["EQuery:Unknown asset pair"]}),
)
COINBASE = Shape(
    {"BTC-USD": "BTC-USD", "ETH-USD": "ETH-USD", "SOL-USD": "SOL-USD"},
    _coinbase_markets,
    _coinbase_asked,
    _coinbase_page,
    (404, {"error": "NOT_FOUND", "error_details": "valid product_id is required"}),
)
SHAPES = {"binance": BINANCE, "kraken": KRAKEN, "coinbase": COINBASE}
