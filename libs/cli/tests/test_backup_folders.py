"""Folders in a backup, as the systems that mount them lay them out."""

from pathlib import Path

from stratvector.cli.backup.folders import copy_in


def files_below(folder: Path) -> set[str]:
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}


def test_a_folder_that_kubernetes_mounts_is_copied_with_its_folders(tmp_path: Path) -> None:
    """Every name at the top is a link into a hidden folder that is exchanged as a whole."""
    mounted = tmp_path / "mounted"
    held = mounted / "..2026_01_05"
    (held / "risk").mkdir(parents=True)
    (held / "system.yaml").write_text("portfolio: main\n")
    (held / "risk" / "moderate.yaml").write_text("drawdown_halt: 0.2\n")
    (mounted / "..data").symlink_to(held.name)
    for name in ("system.yaml", "risk"):
        (mounted / name).symlink_to(Path("..data") / name)
    copy_in("config", mounted, tmp_path / "backup")
    copied = tmp_path / "backup" / "config"
    assert files_below(copied) == {"system.yaml", "risk/moderate.yaml"}
    assert not any(one.is_symlink() for one in copied.rglob("*"))


def test_a_link_to_a_folder_above_ends(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    (source / "inner" / "bars.parquet").write_bytes(b"bars")
    (source / "inner" / "up").symlink_to(source)
    copy_in("store", source, tmp_path / "backup")
    assert files_below(tmp_path / "backup" / "store") == {"inner/bars.parquet"}
