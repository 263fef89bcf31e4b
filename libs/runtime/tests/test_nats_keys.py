"""Seed files: made once, read later, never shown."""

from pathlib import Path

import nkeys  # type: ignore[import-untyped]
import pytest

from stratvector.runtime.jetstream.keys import BadSeedFile, KeyFolder, public_key, read_seed


def test_a_key_is_made_once_and_read_later(tmp_path: Path) -> None:
    first = KeyFolder(tmp_path / "keys").ensure("risk")
    assert first.startswith("U")
    assert KeyFolder(tmp_path / "keys").ensure("risk") == first
    assert public_key(KeyFolder(tmp_path / "keys").seed_file("risk")) == first


def test_every_user_has_another_key(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path)
    assert keys.ensure("risk") != keys.ensure("ledger")


def test_only_their_owner_may_read_the_seeds(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    keys = KeyFolder(tmp_path / "keys")
    keys.ensure("risk")
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert keys.seed_file("risk").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["risk.seed"]


def test_what_a_crash_left_half_written_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "risk.seed.part").write_text("SU")
    assert KeyFolder(tmp_path).ensure("risk").startswith("U")


def test_a_missing_seed_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSeedFile, match=r"seed file .*risk.seed can't be read: No such file"):
        read_seed(tmp_path / "risk.seed")


@pytest.mark.parametrize(
    "content",
    [b"", b"SUAB", b"not a seed \xff", b"S" * 58, nkeys.encode_seed(bytes(32), 0)],
    ids=["empty", "short", "noise", "wrong", "account"],
)
def test_a_file_without_a_users_seed_is_refused_and_not_shown(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "risk.seed").write_bytes(content)
    with pytest.raises(BadSeedFile) as raised:
        KeyFolder(tmp_path).ensure("risk")
    assert str(raised.value) == (
        f"seed file {tmp_path / 'risk.seed'} holds no nkey seed of a user; "
        "such a seed begins with SU"
    )
