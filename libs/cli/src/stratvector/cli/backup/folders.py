"""folders: what a platform has beside its log and its ledger, copied file by file."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from stratvector.cli.failures import CommandFailed

# In a backup each has a folder of its name.
KINDS = ("config", "models", "store", "results", "archives", "keys")
SECRET = "keys"  # files that only their owner may read


def copy_in(kind: str, source: Path, backup: Path) -> None:
    """One folder of a platform into a backup; what vanishes meanwhile, such as another program's
    draft, is not in it. Raises CommandFailed, OSError.
    """
    if not source.is_dir():
        raise CommandFailed(f"--{kind} {source}: there is no such folder")
    _make(kind, backup / kind)
    for name in _files_in(source):
        try:
            _copy(kind, source / name, backup / kind / name)
        except FileNotFoundError:
            if (source / name).exists():
                raise


def copy_out(kind: str, backup: Path, target: Path) -> None:
    """Back to where a platform will look for it; a file that is there is equal already. Raises
    OSError.
    """
    _make(kind, target)
    for name in _files_in(backup / kind):
        if not (target / name).exists():
            _copy(kind, backup / kind / name, target / name)


def refuse_other_files(kind: str, backup: Path, target: Path) -> None:
    """A folder that is restored holds nothing, or what an interrupted restore has put there. Raises
    CommandFailed.
    """
    if target.exists() and not target.is_dir():
        raise CommandFailed(f"--{kind} {target}: it is no folder")
    for name in _files_in(target) if target.exists() else ():
        file, saved = target / name, backup / kind / name
        if not saved.is_file() or file.read_bytes() != saved.read_bytes():
            raise CommandFailed(
                f"--{kind} {target}: {name} is there and is not the backup's; name a folder that "
                "is empty or not there yet"
            )


def wanted(given: Mapping[str, Path | None]) -> dict[str, Path]:
    """Those that were named."""
    return {kind: folder for kind, folder in given.items() if folder is not None}


def _files_in(folder: Path) -> Iterator[Path]:
    """Relative paths, ordered. What Kubernetes mounts is links to files and folders in a hidden
    folder, so links are followed, into each folder once.
    """
    seen = {folder.resolve()}
    for place, inside, names in os.walk(folder, followlinks=True):
        shown = [one for one in sorted(inside) if not one.startswith("..")]
        real = {one: (Path(place) / one).resolve() for one in shown}
        inside[:] = [one for one in shown if real[one] not in seen]
        seen |= set(real.values())
        for name in sorted(names):
            if (file := Path(place) / name).is_file():
                yield file.relative_to(folder)


def _make(kind: str, folder: Path) -> None:
    folder.mkdir(mode=0o700 if kind == SECRET else 0o750, parents=True, exist_ok=True)


def _copy(kind: str, source: Path, target: Path) -> None:
    """Whole or not at all."""
    _make(kind, target.parent)
    draft = target.with_name(f".{target.name}.part")
    with source.open("rb") as read, draft.open("wb") as written:
        draft.chmod(0o600 if kind == SECRET else 0o640)
        shutil.copyfileobj(read, written)
        written.flush()
        os.fsync(written.fileno())
    draft.replace(target)
