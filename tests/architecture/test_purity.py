"""The room of trading logic reads no clock, opens no file and prints nothing."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter"}
CALLS = {"open", "print", "input", "exec", "eval"}


def impure_calls(code: str) -> list[str]:
    """Calls in `code` that depend on anything but their arguments."""
    found = []
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                found.append(name)
            case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCKS:
                found.append(name)
            case ast.Call(func=ast.Attribute(attr="datetime64"), args=[ast.Constant("now"), *_]):
                found.append("datetime64('now')")
    return found


def test_trading_makes_no_impure_call() -> None:
    source = ROOT / "libs" / "trading" / "src"
    found = {
        str(path.relative_to(source)): calls
        for path in source.rglob("*.py")
        if (calls := impure_calls(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "code",
    ["datetime.now(UTC)", "date.today()", "np.datetime64('now')", "time.time_ns()", "print(1)"],
)
def test_a_planted_impure_call_is_found(code: str) -> None:
    assert len(impure_calls(code)) == 1


def test_a_call_on_arguments_alone_is_pure() -> None:
    assert impure_calls("np.datetime64(t, 'ns'); bars.window(0, 5); reopen(x)") == []
