"""What the repository must not hold: generated code, download addresses, anything git ignores."""

import re
import subprocess
from pathlib import Path

import pytest

from conftest import SLOWEST

ROOT = Path(__file__).resolve().parents[2]
GENERATED_NAMES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def git(root: Path, *arguments: str) -> list[str]:
    run = subprocess.run(
        ["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True
    )
    return run.stdout.splitlines()


def unwanted_files(root: Path) -> list[str]:
    """Committed files that git ignores, are generated, or lock by address."""
    ignored = git(root, "ls-files", "--cached", "--ignored", "--exclude-standard")
    named = [
        path
        for path in git(root, "ls-files", "--cached")
        if path.endswith(GENERATED_NAMES) or Path(path).name == "uv.lock"
    ]
    return sorted({*ignored, *named})


def addresses(lock: Path) -> list[str]:
    return [line for line in lock.read_text().splitlines() if "://" in line or "--index" in line]


def unpinned(lock: Path) -> list[str]:
    """Packages of a lock without an exact version or without a hash."""
    blocks = lock.read_text().replace("\\\n", " ").splitlines()
    packages = [block for block in blocks if block and not block.lstrip().startswith("#")]
    return [
        block.split()[0] for block in packages if "==" not in block or "--hash=sha256:" not in block
    ]


def test_nothing_is_committed_that_is_generated_or_ignored() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    assert unwanted_files(ROOT) == []


MADE = re.compile(
    r"cp -r config (\S+)|(?m:stratvector .* > (\S+)$)|Save this as `(\S+)`|and this as `(\S+)`"
    r"|read_bars\(\"(prices\.csv)\"|--json (\S+\.json)|report\(\"(\S+)\"\)"
)


def test_git_ignores_what_the_docs_tell_a_reader_to_make() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    pages = [ROOT / "README.md", ROOT / "docs" / "quickstart.md"]
    found = {name for page in pages for names in MADE.findall(page.read_text()) for name in names}
    made = sorted(found - {""})
    assert {"mine", "run.json", "above_average.py"} <= set(made)
    ignored = git(ROOT, "check-ignore", "--no-index", *(f"{one}/x" for one in made), *made)
    assert [one for one in made if one not in ignored and f"{one}/x" not in ignored] == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-sample.lock"])
def test_a_lock_pins_every_package_by_hash_and_names_no_address(name: str) -> None:
    assert addresses(ROOT / name) == []
    assert unpinned(ROOT / name) == []


def test_planted_generated_code_and_a_planted_uv_lock_are_found(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("*.so\n")
    for name in (".gitignore", "bars_pb2.py", "uv.lock", "fast.so", "kept.py"):
        (tmp_path / name).touch()
    git(tmp_path, "add", "--force", ".")
    assert unwanted_files(tmp_path) == ["bars_pb2.py", "fast.so", "uv.lock"]


def test_a_planted_address_and_a_planted_loose_pin_are_found(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "--index-url https://example.org\ngood==1 \\\n    --hash=sha256:00\nbare==2\nloose>=3\n"
    )
    assert addresses(lock) == ["--index-url https://example.org"]
    assert unpinned(lock) == ["--index-url", "bare==2", "loose>=3"]


def test_the_files_that_begin_a_run_of_the_tests_are_there() -> None:
    assert [file for file in SLOWEST if not (ROOT / file).is_file()] == []
    assert len(set(SLOWEST)) == len(SLOWEST)
