"""Compiled code equals interpreted code, and a change of it never leaves a stale cache.

numba's cache watches the file of a compiled function only; the engine's files are part of its key.
So a compiled function here calls compiled functions of its own file and of the engine only.
"""

import ast
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

import stratvector.strategies
from stratvector.strategies import MODELS, create
from stratvector.strategies.trial_bars import trial_bars
from stratvector.strategies.warm import warm
from stratvector.trading.strategy import feature_rows, scan

ROOM = Path(stratvector.strategies.__file__).parent
SOURCES = sorted(ROOM.rglob("*.py"))
JITS = {"engine_jit", "decide_jit"}
ALLOWED_CALLS = {"range", "min", "max", "abs", "bool", "np.sqrt"}
VIEW = ".reshape"  # of contiguous memory: nothing is computed


def compiled_functions(tree: ast.Module) -> list[ast.FunctionDef]:
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [f for f in functions if any(ast.unparse(d) in JITS for d in f.decorator_list)]


def digest_of_all_models() -> str:
    """A hash of every bit that the house's models compute over some bars."""
    digest = hashlib.sha256()
    for name in sorted(n for n, m in MODELS.items() if m.__module__.startswith("stratvector.")):
        strategy = create(name, {}, 1)
        bars = trial_bars(strategy.history + 60, seed=9)
        digest.update(feature_rows(strategy, bars).tobytes())
        for panel in scan(strategy, bars):
            digest.update(panel.tobytes())
    return digest.hexdigest()


def engine_names(tree: ast.Module) -> set[str]:
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    engine = [i for i in imports if (i.module or "").startswith("stratvector.trading.engine")]
    return {alias.name for i in engine for alias in i.names}


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: str(p.relative_to(ROOM)))
def test_compiled_functions_call_their_own_file_and_plain_arithmetic_only(source: Path) -> None:
    tree = ast.parse(source.read_text())
    functions = compiled_functions(tree)
    known = {f.name for f in functions} | engine_names(tree) | ALLOWED_CALLS
    for function in functions:
        for node in ast.walk(function):
            assert not isinstance(node, ast.Pow), f"{function.name} uses **"
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called in known or called.endswith(VIEW), f"{function.name} calls {called}"


def test_the_rule_above_looks_at_every_indicator_and_model() -> None:
    trees = [ast.parse(source.read_text()) for source in SOURCES]
    assert sum(len(compiled_functions(tree)) for tree in trees) >= 20


def test_compiled_and_interpreted_models_give_the_same_bits() -> None:
    script = f"import runpy; print(runpy.run_path({__file__!r})['digest_of_all_models']())"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "NUMBA_BOUNDSCHECK": "0"}
    interpreted = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert interpreted.stdout.strip() == digest_of_all_models()


def test_a_process_after_the_warm_up_compiles_nothing() -> None:
    script = (
        f"import runpy; module = runpy.run_path({__file__!r}); "
        "module['digest_of_all_models'](); print(module['compiled_again']())"
    )
    for arguments in (["-m", warm.__module__], ["-c", script]):
        fresh = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, check=True
        )
    assert fresh.stdout.strip() == "[]"


def compiled_again() -> list[str]:
    """The compiled functions of this room that were not found in numba's cache."""
    modules = [m for name, m in sys.modules.items() if name.startswith("stratvector.strategies")]
    functions = {f for m in modules for f in vars(m).values() if isinstance(f, Dispatcher)}
    assert functions or os.environ.get("NUMBA_DISABLE_JIT") == "1"
    return sorted(f.py_func.__name__ for f in functions if f.stats.cache_misses)
