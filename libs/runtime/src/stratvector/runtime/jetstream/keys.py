"""keys: one nkey seed per user of the bus, and the token of the gateway, in files that only their
owner may read.
"""

import os
import secrets
from pathlib import Path

import nkeys  # type: ignore[import-untyped]

SUFFIX = ".seed"
TOKEN_FILE, TOKEN_BYTES = "gateway.token", 32


class BadSeedFile(RuntimeError):
    """A seed file is missing, unreadable or holds no seed of a user."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"seed file {file} {why}")
        self.file = file


class KeyFolder:
    """The seeds of all users and the token; whoever runs one service gets one file of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def seed_file(self, user: str) -> Path:
        """Where a user's seed is."""
        return self._folder / f"{user}{SUFFIX}"

    def ensure(self, user: str) -> str:
        """The user's public key; the seed is made when there is none yet. Raises BadSeedFile."""
        self._make()
        file = self.seed_file(user)
        if not file.exists():
            _write_new(file, nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER))
        return public_key(file)

    def ensure_token(self) -> Path:
        """The file with the token of a gateway under `auth: token`, made when there is none yet."""
        self._make()
        file = self._folder / TOKEN_FILE
        if not file.exists():
            _write_new(file, secrets.token_urlsafe(TOKEN_BYTES).encode())
        return file

    def _make(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)


def unfit_scheme(url: str, has_tls: bool) -> str | None:
    """Why an address of the bus and the TLS settings contradict each other; None if they agree."""
    is_tls = url.startswith("tls://")
    if has_tls and not is_tls:
        return "with TLS settings it must begin with tls://, nothing goes in plain text"
    if is_tls and not has_tls:
        return "tls:// needs tls_ca_file, tls_certificate_file and tls_key_file"
    return None


def public_key(file: Path) -> str:
    """The public key of a seed file. Raises BadSeedFile."""
    pair = nkeys.from_seed(bytearray(read_seed(file).encode()))
    try:
        key: str = pair.public_key.decode()
    finally:
        pair.wipe()
    return key


def read_seed(file: Path) -> str:
    """The seed in a file. Raises BadSeedFile, which never shows it."""
    try:
        text = file.read_bytes().strip()
    except OSError as error:
        raise BadSeedFile(file, f"can't be read: {error.strerror}") from error
    try:
        pair = nkeys.from_seed(bytearray(text))
        is_user = pair.public_key.startswith(b"U")
        pair.wipe()
    # The decoder has no one error for what it can't decode.
    except Exception:  # noqa: BLE001
        is_user = False
    if not is_user:
        raise BadSeedFile(file, "holds no nkey seed of a user; such a seed begins with SU")
    return text.decode()


def _write_new(file: Path, secret: bytes) -> None:
    """All or nothing: a crash never leaves half a secret under the file's name."""
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(secret + b"\n")
        opened.flush()
        os.fsync(opened.fileno())
    part.rename(file)
