"""The page on telemetry names every metric that the code has, and no other."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "telemetry.md"
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([\w, ]*)\| (\w+) \|", re.MULTILINE)
MADE = re.compile(
    r"(Counter|Gauge|Histogram|CounterMetricFamily|GaugeMetricFamily|_gauge)\(\s*\"(\w+)\""
)
OF_PORTFOLIO = "stratvector_portfolio_"  # risk's `_gauge` puts it before its names
CLASSIC = {"order_latency_seconds", "strategy_drift_score", "process_resident_memory_bytes"}


def rows() -> dict[str, tuple[str, str]]:
    """Name -> type and who."""
    return {m[1]: (m[2], m[4]) for m in ROW.finditer(PAGE.read_text(encoding="utf-8"))}


def room_of(who: str) -> Path:
    return ROOT / ("libs/runtime/src" if who == "runtime" else f"services/{who}/src")


def made_in(room: Path) -> set[str]:
    """Names as Prometheus shows them."""
    found = set()
    for path in room.rglob("*.py"):
        for kind, made in MADE.findall(path.read_text(encoding="utf-8")):
            name = f"{OF_PORTFOLIO}{made}" if kind == "_gauge" else made
            found.add(f"{name}_total" if kind.startswith("Counter") else name)
    return found


def test_each_metric_of_the_page_is_made_where_it_says() -> None:
    for name, (kind, who) in rows().items():
        sources = [p.read_text(encoding="utf-8") for p in room_of(who).rglob("*.[pr][ys]")]
        stem = name.removesuffix("_total").removeprefix(OF_PORTFOLIO)
        assert any(f'"{name}"' in text or f'"{stem}"' in text for text in sources), name
        assert (kind == "counter") == name.endswith("_total"), name


@pytest.mark.parametrize("who", ["runtime", "strategy", "risk", "execution"])
def test_each_metric_of_a_room_is_on_the_page(who: str) -> None:
    made = made_in(room_of(who))
    assert made
    assert made <= {name for name, (_, room) in rows().items() if room == who}


def test_every_name_begins_with_the_products_but_for_three_classic_ones() -> None:
    for name in rows():
        assert name.startswith("stratvector_") or name in CLASSIC, name
