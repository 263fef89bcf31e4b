"""cluster_secrets: what `stratvector provision` makes, as Secrets of a Kubernetes namespace.

    python -m stratvector.cli.cluster_secrets fetch --folder DIR --prefix NAME    Secrets ─▶ files
    python -m stratvector.cli.cluster_secrets store --folder DIR --prefix NAME    files ─▶ Secrets

The chart's job runs `fetch`, then `provision`, then `store`: what is there stays, what is absent is
made, and the accounts name old and new keys alike. Each service's key and certificate is a Secret
of its own, so that a pod can be given its own alone. Asked again it changes nothing.

    keys/<user>.seed                  NAME-keys-<user>       beside it gateway.token
    accounts.conf                     NAME-accounts
    certificates/ca.{crt,key}         NAME-ca
    certificates/<identity>/*         NAME-tls-<identity>
    passwords/<user>                  NAME-<user>            with --password

Ends with 0 done, 1 a sentence.
"""

import argparse
import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stratvector.cli.cluster_api import ClusterApi, ClusterRefused
from stratvector.runtime.certificates import IDENTITIES
from stratvector.runtime.jetstream.accounts import USERS
from stratvector.runtime.jetstream.keys import SUFFIX, TOKEN_FILE

KEYS, CERTIFICATES, PASSWORDS = "keys", "certificates", "passwords"
ACCOUNTS_FILE = "accounts.conf"
AUTHORITY = ("ca.crt", "ca.key")
LEAF = ("ca.crt", "tls.crt", "tls.key")
PASSWORD_USERS = ("postgresql",)
FAILED = 1


def layout() -> dict[str, dict[str, str]]:
    """By the end of a Secret's name: each of its keys, and the file below the folder."""
    found = {f"keys-{_hyphens(user)}": _own(KEYS, f"{user}{SUFFIX}") for user in USERS}
    found["keys-gateway"] |= _own(KEYS, TOKEN_FILE)
    found["accounts"] = {ACCOUNTS_FILE: ACCOUNTS_FILE}
    found["ca"] = _own(CERTIFICATES, *AUTHORITY)
    for identity in IDENTITIES:
        found[f"tls-{identity}"] = _own(f"{CERTIFICATES}/{identity}", *LEAF)
    for user in PASSWORD_USERS:
        found[user] = {"password": f"{PASSWORDS}/{user}"}
    return found


def fetch(api: ClusterApi, folder: Path, prefix: str) -> list[str]:
    """Write the files of those Secrets that there are; their names. Raises ClusterRefused."""
    there = []
    for name, files in layout().items():
        data = api.secret(f"{prefix}-{name}")
        if data is None:
            continue
        there.append(name)
        for key, content in data.items():
            if key in files:
                _write(folder / files[key], content)
    return there


def store(api: ClusterApi, folder: Path, prefix: str) -> list[str]:
    """Make or change the Secrets whose files say something else; their names.

    What a Secret has beside them stays. Raises ClusterRefused.
    """
    changed = []
    for name, files in layout().items():
        wanted = dict(_read(folder, files))
        if not wanted:
            continue
        there = api.secret(f"{prefix}-{name}")
        if there is not None and wanted.items() <= there.items():
            continue
        if there is None:
            api.make_secret(f"{prefix}-{name}", wanted, prefix)
        else:
            api.change_secret(f"{prefix}-{name}", {**there, **wanted}, prefix)
        changed.append(name)
    return changed


def ensure_passwords(folder: Path, users: Sequence[str]) -> None:
    """A password for each user that has none; letters and digits, as it stands in an URL."""
    for user in users:
        file = folder / PASSWORDS / user
        if not file.exists():
            _write(file, secrets.token_hex(24).encode())


def _own(folder: str, *names: str) -> dict[str, str]:
    return {name: f"{folder}/{name}" for name in names}


def _hyphens(user: str) -> str:
    return user.replace("_", "-")


def _read(folder: Path, files: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    for key, file in files.items():
        if (folder / file).is_file():
            yield key, (folder / file).read_bytes()


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        api = ClusterApi.of_pod()
        if asked.does == "fetch":
            names = fetch(api, asked.folder, asked.prefix)
        else:
            ensure_passwords(asked.folder, asked.password)
            names = store(api, asked.folder, asked.prefix)
    except (ClusterRefused, OSError) as error:
        sys.stderr.write(f"cluster_secrets: {error}\n")
        return FAILED
    done = "found" if asked.does == "fetch" else "stored"
    sys.stdout.write(f"{done}: {', '.join(names) or 'nothing'}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stratvector.cli.cluster_secrets")
    parser.add_argument("does", choices=("fetch", "store"))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--prefix", required=True, help="what each Secret's name begins with")
    parser.add_argument(
        "--password", action="append", default=[], choices=PASSWORD_USERS, help="make one if absent"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
