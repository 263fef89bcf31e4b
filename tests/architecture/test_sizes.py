"""Files and functions stay small: STYLE is a test, not a habit."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", ".venv", "build", "dist", "target", "__pycache__", "results"}
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
MEDIAN_FILE_LINES_MAX = 150
MEDIAN_FUNCTION_LINES_MAX = 12
README_LINES_MAX = 150
MAKEFILE_LINES_MAX = 150


def source_files(root: Path, *suffixes: str) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        ours = not NOT_OURS.intersection(path.relative_to(root).parts)
        if ours and path.is_file() and path.suffix in suffixes and "_pb2" not in path.name:
            yield path


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def long_files(root: Path) -> list[str]:
    counts = ((path, line_count(path)) for path in source_files(root, ".py", ".rs", ".proto"))
    return [
        f"{path.relative_to(root)}: {lines} lines, at most {FILE_LINES_MAX}"
        for path, lines in counts
        if lines > FILE_LINES_MAX
    ]


def function_lengths(root: Path) -> Iterator[tuple[str, int]]:
    for path in source_files(root, ".py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                where = f"{path.relative_to(root)}:{node.lineno} {node.name}"
                yield where, node.end_lineno - node.lineno + 1


def long_functions(root: Path) -> list[str]:
    return [
        f"{where}: {lines} lines, at most {FUNCTION_LINES_MAX}"
        for where, lines in function_lengths(root)
        if lines > FUNCTION_LINES_MAX
    ]


def test_no_file_is_over_the_limit() -> None:
    assert long_files(ROOT) == []


def test_no_function_is_over_the_limit() -> None:
    assert long_functions(ROOT) == []


def test_the_median_file_and_the_median_function_are_small(say: Callable[[str], None]) -> None:
    files = [line_count(path) for path in source_files(ROOT, ".py", ".rs")]
    functions = [lines for _, lines in function_lengths(ROOT)]
    say(
        f"sizes: {len(files)} files, median {median(files):.0f} lines, longest {max(files)}; "
        f"{len(functions)} functions, median {median(functions):.0f} lines, "
        f"longest {max(functions)}"
    )
    assert median(files) <= MEDIAN_FILE_LINES_MAX
    assert median(functions) < MEDIAN_FUNCTION_LINES_MAX


def test_the_readme_and_the_makefile_fit_on_a_few_screens() -> None:
    assert line_count(ROOT / "README.md") <= README_LINES_MAX
    assert line_count(ROOT / "Makefile") <= MAKEFILE_LINES_MAX


def test_a_planted_long_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("x = 1\n" * (FILE_LINES_MAX + 1))
    (tmp_path / "short.rs").write_text("//\n" * FILE_LINES_MAX)
    assert long_files(tmp_path) == ["long.py: 401 lines, at most 400"]


def test_a_planted_long_function_is_found(tmp_path: Path) -> None:
    body = "    x = 1\n"
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "long.py").write_text(
        f"def fits():\n{body * (FUNCTION_LINES_MAX - 1)}\nasync def grew():\n{body * 60}"
    )
    assert long_functions(tmp_path) == ["deep/long.py:62 grew: 61 lines, at most 60"]


def test_code_that_others_made_is_not_measured(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    for name in (".venv/long.py", "bars_pb2.py"):
        (tmp_path / name).write_text("x = 1\n" * 1000)
    assert long_files(tmp_path) == []
