"""Lines of code of each member: `python tools/lines.py [FOLDER]`, a checkout (default: this one).

Neither blank lines nor comments nor docstrings count, nor generated code. Rust's tests are what
follows `#[cfg(test)]` in a file.
"""

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOMS = ("libs", "services")
BESIDE = ("tests", "benchmarks", "examples", "tools")
GENERATED = ("contracts/v1/", "/target/", "/.venv/")
SILENT = (
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
RUST_TESTS = "#[cfg(test)]"


@dataclass
class Count:
    """Lines of the product, and of its tests."""

    product: int = 0
    tests: int = 0

    def add(self, product: int, tests: int) -> None:
        """Those of one file."""
        self.product += product
        self.tests += tests


def main(root: Path) -> None:
    """Print a row per member, and the sum."""
    total = Count()
    print(f"{'member':<24}{'code':>8}{'tests':>8}")
    for name, folder in members(root):
        count = count_of(folder)
        total.add(count.product, count.tests)
        print(f"{name:<24}{count.product:>8,}{count.tests:>8,}")
    print(f"{'all':<24}{total.product:>8,}{total.tests:>8,}")


def members(root: Path) -> Iterator[tuple[str, Path]]:
    """Each member, and the folders beside them."""
    for room in ROOMS:
        for folder in sorted((root / room).iterdir()):
            if folder.is_dir():
                yield f"{room}/{folder.name}", folder
    yield from ((name, root / name) for name in BESIDE if (root / name).is_dir())


def count_of(folder: Path) -> Count:
    """All Python and Rust files in a folder."""
    count = Count()
    for file in sorted(folder.rglob("*")):
        if any(part in file.as_posix() for part in GENERATED):
            continue
        if file.suffix == ".py":
            lines = python_lines(file.read_text(encoding="utf-8"))
            count.add(*((0, lines) if is_test(file, folder) else (lines, 0)))
        elif file.suffix == ".rs":
            product, tests = rust_lines(file.read_text(encoding="utf-8"))
            count.add(*((0, product + tests) if is_test(file, folder) else (product, tests)))
    return count


def is_test(file: Path, folder: Path) -> bool:
    """Whether a file stands among tests, or its member is made of them."""
    return "tests" in (folder.name, *file.relative_to(folder).parts[:-1])


def python_lines(source: str) -> int:
    """Lines that hold a token of the program and are no docstring."""
    lines = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            lines.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return len(lines)


def rust_lines(source: str) -> tuple[int, int]:
    """Of the product, and of the tests in the same file."""
    code = [line.strip() for line in source.splitlines()]
    code = [line for line in code if line and not line.startswith("//")]
    begin = code.index(RUST_TESTS) if RUST_TESTS in code else len(code)
    return begin, len(code) - begin


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]))
