"""certificates: a deployment's own authority and one certificate per identity, as files.

    DIR/ca.crt, DIR/ca.key              the authority, 10 years
    DIR/<identity>/tls.crt, tls.key     what one process presents, a year
    DIR/<identity>/ca.crt               whom it trusts: a copy of DIR/ca.crt

The names are cert-manager's, which makes the same in a cluster. What is there stays; a certificate
is made anew when it nears its end or lacks a name. The first certificate in DIR/ca.crt signs; those
below it are trusted too, so that an authority can be replaced while everything runs.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stratvector.cli.failures import CommandFailed
from stratvector.runtime.certificates import IDENTITIES, identity_of

AUTHORITY_DAYS, LEAF_DAYS = 3_650, 365
RENEW_DAYS = 90  # before its end a certificate counts as old
BACKDATED = timedelta(minutes=5)  # for machines whose clocks are behind
AUTHORITY = "StratVector deployment"
FILE_MODE, FOLDER_MODE = 0o640, 0o750


@dataclass(frozen=True)
class Authority:
    """The newest certificate of `ca.crt` and its key. trusted : the whole file."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    trusted: bytes


def ensure_certificates(
    folder: Path, names: Mapping[str, Sequence[str]], renew: bool = False
) -> list[str]:
    """Make what is absent or old; the identities whose files were written, `ca` among them.

    names : further DNS names and IP addresses by identity. renew : make all leaves anew. Raises
    CommandFailed, OSError.
    """
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    made = list[str]()
    if not (folder / "ca.crt").exists() and not (folder / "ca.key").exists():
        _make_authority(folder)
        made.append("ca")
    authority = _authority(folder)
    for identity in IDENTITIES:
        wanted = (identity, *dict.fromkeys(names.get(identity, ())))
        if _ensure_leaf(folder / identity, wanted, authority, renew):
            made.append(identity)
    return made


def parsed_names(text: str) -> dict[str, list[str]]:
    """Further names by identity, of `risk=risk.trading.svc,nats=bus`. Raises CommandFailed."""
    found: dict[str, list[str]] = {}
    for pair in filter(None, text.split(",")):
        service, is_pair, name = pair.strip().partition("=")
        identity = identity_of(service)
        if not is_pair or not name or identity not in IDENTITIES:
            known = ", ".join(IDENTITIES)
            raise CommandFailed(
                f"--names holds {pair!r}; it must be SERVICE=NAME, and a service is one of {known}"
            )
        if identity != name and name in IDENTITIES:
            raise CommandFailed(f"--names gives {identity} the name of another identity, {name}")
        found.setdefault(identity, []).append(name)
    return found


def _ensure_leaf(folder: Path, names: Sequence[str], authority: Authority, renew: bool) -> bool:
    """Whether any of its files was written; the trusted authorities always are up to date."""
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    is_trust_old = _differs(folder / "ca.crt", authority.trusted)
    if is_trust_old:
        _write(folder / "ca.crt", authority.trusted)
    if renew or not _is_good(folder, names, authority):
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _leaf(names, key, authority)
        _write(folder / "tls.key", _key_pem(key))
        _write(folder / "tls.crt", leaf.public_bytes(serialization.Encoding.PEM))
        return True
    return is_trust_old


def _is_good(folder: Path, names: Iterable[str], authority: Authority) -> bool:
    """Whether there is a certificate with its key, of this authority, long valid, with all names
    that it is to have.
    """
    try:
        certificate = x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())
        key = _private_key(folder / "tls.key")
        certificate.verify_directly_issued_by(authority.certificate)
        has = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return (
        key.public_key() == certificate.public_key()
        and list(has) == _names(names)
        and certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=RENEW_DAYS)
    )


def _authority(folder: Path) -> Authority:
    trusted, file = folder / "ca.crt", folder / "ca.key"
    try:
        text = trusted.read_bytes()
        certificate = x509.load_pem_x509_certificates(text)[0]
        key = _private_key(file)
    except (ValueError, TypeError, IndexError) as error:
        raise CommandFailed(f"{trusted} and {file} are no authority: {error}") from None
    if key.public_key() != certificate.public_key():
        raise CommandFailed(f"{file} is not the key of the first certificate in {trusted}")
    if certificate.not_valid_after_utc < datetime.now(UTC) + timedelta(days=LEAF_DAYS):
        ends = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
        raise CommandFailed(f"the authority in {trusted} ends on {ends}, too soon to sign anything")
    return Authority(certificate, key, text)


def _make_authority(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY)])
    usage = _usage(key_cert_sign=True, crl_sign=True)
    made = (
        _dated(name, name, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(_identifier(key), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / "ca.key", _key_pem(key))
    _write(folder / "ca.crt", made.public_bytes(serialization.Encoding.PEM))


def _leaf(
    names: Sequence[str], key: ec.EllipticCurvePrivateKey, authority: Authority
) -> x509.Certificate:
    """A process asks and is asked, so a certificate is of a client and of a server."""
    issuer, purposes = authority.certificate, ExtendedKeyUsageOID
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternative = x509.SubjectAlternativeName(_names(names))
    extended = x509.ExtendedKeyUsage([purposes.SERVER_AUTH, purposes.CLIENT_AUTH])
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return (
        _dated(subject, issuer.subject, key, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(extended, critical=False)
        .add_extension(alternative, critical=False)
        .add_extension(_identifier(key), critical=False)
        .add_extension(issued_by, critical=False)
        .sign(authority.key, hashes.SHA256())
    )


def _names(names: Iterable[str]) -> list[x509.GeneralName]:
    """As a certificate has them: a browser that is sent to an address looks for an address."""
    return [_name(one) for one in names]


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _dated(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    begins = datetime.now(UTC) - BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
    )


def _identifier(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _usage(
    digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private_key(file: Path) -> ec.EllipticCurvePrivateKey:
    """Raises OSError, ValueError, TypeError."""
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{file} holds no key of an elliptic curve")
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _differs(file: Path, content: bytes) -> bool:
    return not file.exists() or file.read_bytes() != content


def _write(file: Path, content: bytes) -> None:
    """All or nothing: who reads the file meanwhile finds the former or the new one."""
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(descriptor, "wb") as opened:
        os.fchmod(opened.fileno(), FILE_MODE)
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    part.replace(file)
