"""The engine computes with the few operations whose bits are the same compiled and interpreted.

Allowed are + - x / and // % on whole numbers, comparisons, sqrt, floor, abs, min, max, int() and
explicit loops. Arrays are made only by functions that run before a loop.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "libs/trading/src/stratvector/trading/engine"
NOT_COMPILED = {"compiling.py"}  # decorators and the cache's folder
COMPILED = {"engine_jit", "allocating_jit", "decide_jit", "njit", "prange"}

OPERATORS = (
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.FloorDiv,
    ast.Mod,
    ast.USub,
    ast.Not,
    ast.And,
    ast.Or,
    ast.BitOr,  # types only: `int | None`
)
STATEMENTS = (
    ast.FunctionDef,
    ast.arguments,
    ast.arg,
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.For,
    ast.While,
    ast.If,
    ast.IfExp,
    ast.Continue,
    ast.Return,
    ast.Expr,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.cmpop,
    ast.Call,
    ast.keyword,
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Slice,
    ast.Tuple,
    ast.Constant,
    ast.expr_context,
)
CALLS = {"abs", "min", "max", "int", "len", "range", "prange"}
NUMPY_CALLS = {"floor", "sqrt"}
NUMPY_CONSTANTS = {"inf", "nan"}
NUMPY_MAKERS = {"zeros", "ones", "full", "empty", "arange"}
NUMPY_TYPES = {"int64", "float64", "bool_"}
REDUCTION_BEFORE_A_LOOP = {"max"}  # of whole numbers, in functions that make arrays

# Every denominator that is not a constant, and why it is not zero. Whoever adds one reviews it.
DENOMINATORS = {
    "share_of whole": "a sum of shares that are not all zero",
    "share_of unit": "the loop ends before it is zero",
    "apportion_small whole": "a sum of shares that are not all zero",
    "apportion_large whole": "a sum of shares that are not all zero",
    "round_to_grid units": "10^precision or 1e9",
    "factor_for planned": "its callers return when it is not above zero",
    "cap_symbols size": "above the cap, which is above zero",
    "volume_cap lot_size": "an instrument's lot size is above zero",
    "exposure_of value": "check_orders asks for value > 0 first",
    "room_of value": "check_orders asks for value > 0 first",
    "kept_exposure value": "tested in the lines before",
    "affordable needed": "more than what is available, or returned before",
    "fit_order unit": "an ordered symbol has a mark above zero",
    "hold_symbol value": "tested in the same line",
    "apply_stages value": "tested in the same line",
    "round_target book.mark[s] * rules.grid[s, LOT_SIZE]": "a planned symbol has a mark above zero",
}
DIVISIONS = (ast.Div, ast.FloorDiv, ast.Mod)


class Checker:
    """Breaches in one file."""

    def __init__(self, name: str, code: str) -> None:
        self.name, self.tree = name, ast.parse(code)
        self.makers = {f.name for f in self.functions() if not self.decorations(f) & {"engine_jit"}}
        self.records = {n.name for n in self.tree.body if isinstance(n, ast.ClassDef)}
        self.imported = {
            alias.asname or alias.name
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stratvector.")
            for alias in node.names
        }

    def functions(self) -> list[ast.FunctionDef]:
        return [n for n in ast.walk(self.tree) if isinstance(n, ast.FunctionDef)]

    def decorations(self, function: ast.FunctionDef) -> set[str]:
        nodes = [n for d in function.decorator_list for n in ast.walk(d)]
        names = {n.id for n in nodes if isinstance(n, ast.Name)}
        return names | {n.attr for n in nodes if isinstance(n, ast.Attribute)}

    def breaches(self) -> Iterator[str]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from self.in_import(node)
            if isinstance(node, ast.keyword) and node.arg == "fastmath":
                yield self.at(node, "fastmath")
        for function in self.functions():
            if self.decorations(function) & COMPILED:
                yield from self.in_function(function)

    def at(self, node: ast.AST, what: str) -> str:
        return f"{self.name}:{getattr(node, 'lineno', 0)} {what}"

    def in_import(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else [str(node.module)]
        for name in names:
            if name.split(".")[0] in {"math", "cmath", "scipy", "statistics", "decimal"}:
                yield self.at(node, f"import {name}")

    def in_function(self, function: ast.FunctionDef) -> Iterator[str]:
        makes = not self.decorations(function) & {"engine_jit"}
        known = CALLS | self.imported | {f.name for f in self.functions()}
        known |= {a.arg for a in function.args.args} | self.records
        for part in function.body:
            for node in ast.walk(part):
                if isinstance(node, ast.operator | ast.unaryop | ast.boolop):
                    if not isinstance(node, OPERATORS):
                        yield self.at(part, f"operator {type(node).__name__}")
                elif not isinstance(node, STATEMENTS):
                    yield self.at(node, f"{type(node).__name__}")
                elif isinstance(node, ast.Call):
                    yield from self.in_call(node, known, makes)
                elif _numpy_name(node) and _numpy_name(node) not in self.allowed_numpy(makes):
                    yield self.at(node, f"np.{_numpy_name(node)}")

    def allowed_numpy(self, makes: bool) -> set[str]:
        return NUMPY_CALLS | NUMPY_CONSTANTS | NUMPY_TYPES | (NUMPY_MAKERS if makes else set())

    def in_call(self, call: ast.Call, known: set[str], makes: bool) -> Iterator[str]:
        match call.func:
            case ast.Name(id=name) if name not in known:
                yield self.at(call, f"{name}()")
            case ast.Attribute(value=ast.Name(id=module)) if module in self.imported | {"np"}:
                return  # a module of the engine, or np, which is looked at by name
            case ast.Attribute(attr=name):
                if not (makes and name in REDUCTION_BEFORE_A_LOOP):
                    yield self.at(call, f".{name}()")


def _numpy_name(node: ast.AST) -> str | None:
    match node:
        case ast.Attribute(value=ast.Name(id="np"), attr=name):
            return name
    return None


def denominators(name: str, code: str) -> set[str]:
    """What compiled functions divide by, constants left out."""
    checker, found = Checker(name, code), set()
    for function in checker.functions():
        if not checker.decorations(function) & COMPILED:
            continue
        for node in ast.walk(function):
            match node:
                case ast.BinOp(op=operator, right=by) | ast.AugAssign(op=operator, value=by):
                    text = ast.unparse(by)
                    constant = isinstance(by, ast.Constant) and by.value
                    if isinstance(operator, DIVISIONS) and not (constant or text.isupper()):
                        found.add(f"{function.name} {text}")
    return found


def breaches(name: str, code: str) -> list[str]:
    return list(Checker(name, code).breaches())


FILES = sorted(path for path in ENGINE.glob("*.py") if path.name not in NOT_COMPILED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_engine_file_computes_with_the_allowed_operations(path: Path) -> None:
    assert breaches(path.name, path.read_text(encoding="utf-8")) == []


def test_every_denominator_is_reviewed() -> None:
    found = {d for path in FILES for d in denominators(path.name, path.read_text(encoding="utf-8"))}
    assert sorted(found) == sorted(DENOMINATORS)


@pytest.mark.parametrize("body", ["return x / y", "x //= y", "return x % y", "return x / 0.0"])
def test_a_planted_division_is_found(body: str) -> None:
    assert len(denominators("planted.py", engine_function(body))) == 1


def test_a_division_by_a_constant_is_none_to_review() -> None:
    assert denominators("planted.py", engine_function("return x / 2.0 + x / MICRO")) == set()


def test_the_test_sees_the_engines_functions() -> None:
    compiled = [
        function.name
        for path in FILES
        for checker in [Checker(path.name, path.read_text(encoding="utf-8"))]
        for function in checker.functions()
        if checker.decorations(function) & COMPILED
    ]
    assert len(compiled) > 40
    assert {"step", "match_market", "apportion", "run_columns", "_scan"} <= set(compiled)


def engine_function(body: str, decorator: str = "@engine_jit", head: str = "") -> str:
    return f"import numpy as np\n{head}\n{decorator}\ndef f(x, y, a, plan):\n    {body}\n"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("return x ** 3", "operator Pow"),
        ("x **= 2", "operator Pow"),
        ("return a @ a", "operator MatMult"),
        ("return x << 2", "operator LShift"),
        ("return np.exp(x)", "np.exp"),
        ("return np.log(x)", "np.log"),
        ("return np.sum(a)", "np.sum"),
        ("return np.dot(a, a)", "np.dot"),
        ("return np.linalg.norm(a)", "np.linalg"),
        ("return a.sum()", ".sum()"),
        ("return a.max()", ".max()"),
        ("return plan.part.mean()", ".mean()"),
        ("return sum(a)", "sum()"),
        ("return round(x, 2)", "round()"),
        ("return pow(x, y)", "pow()"),
        ("b = np.zeros(3)", "np.zeros"),
        ("b = [0.0, 1.0]", "List"),
        ("b = [v for v in a]", "ListComp"),
        ("b = a.copy()", ".copy()"),
        ("return (lambda v: v)(x)", "Lambda"),
        ("return exp(x)", "exp()"),
    ],
)
def test_a_planted_operation_is_found(body: str, found: str) -> None:
    assert any(found in line for line in breaches("planted.py", engine_function(body)))


@pytest.mark.parametrize("head", ["import math", "from math import exp", "import scipy.special"])
def test_a_planted_import_is_found(head: str) -> None:
    assert breaches("planted.py", engine_function("return x", head=head)) != []


def test_planted_fast_arithmetic_is_found() -> None:
    code = engine_function("return x", decorator="@numba.njit(fastmath=True)")
    assert breaches("planted.py", code) == ["planted.py:3 fastmath"]


def test_a_function_that_runs_before_the_loop_may_make_arrays_and_others_may_not() -> None:
    body = "return np.zeros(3)"
    assert breaches("planted.py", engine_function(body, decorator="@allocating_jit")) == []
    assert breaches("planted.py", engine_function(body)) != []


def test_what_the_engine_does_is_allowed() -> None:
    body = "return np.floor(x * y / 2.0) + abs(min(x, max(y, np.inf))) + int(x) // 2 % 3 + f(x)"
    assert breaches("planted.py", engine_function(body)) == []
