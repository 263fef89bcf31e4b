"""A stand-in for the Kubernetes API: Secrets of one namespace, over HTTPS."""

import base64
import json
import re
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

TOKEN = "a-token-of-a-pod"
PATH = re.compile(r"/api/v1/namespaces/trading/secrets(?:/(?P<name>[a-z0-9-]+))?")


@dataclass
class ApiServer:
    """Answers what a Role lets the job do. allowed : the verbs it has; the rest is 403."""

    folder: Path
    allowed: set[str] = field(default_factory=lambda: {"GET", "POST", "PUT"})
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __enter__(self) -> "ApiServer":
        certificate, key = signed_for(self.folder, "kubernetes.default.svc", "127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def account(self) -> Path:
        """What the kubelet would mount."""
        made = self.folder / "account"
        made.mkdir(exist_ok=True)
        (made / "token").write_text(TOKEN)
        (made / "namespace").write_text("trading\n")
        (made / "ca.crt").write_bytes((self.folder / "tls.crt").read_bytes())
        return made

    def environment(self) -> dict[str, str]:
        """What it would set."""
        port = str(self._server.server_address[1])
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}

    def content(self, name: str) -> dict[str, bytes]:
        """A Secret's, decoded."""
        return {key: base64.b64decode(text) for key, text in self.secrets[name]["data"].items()}

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, Any]:
        """As the API does."""
        found = PATH.fullmatch(path)
        if token != f"Bearer {TOKEN}":
            return 401, {"message": "Unauthorized"}
        if found is None or method not in self.allowed:
            return 403, {"message": f"secrets is forbidden: cannot {method.lower()}"}
        name = found["name"] or json.loads(body)["metadata"]["name"]
        self.asked.append((method, name))
        there = self.secrets.get(name)
        if method == "POST" and there is not None:
            return 409, {"message": f'secrets "{name}" already exists'}
        if method != "POST" and there is None:
            return 404, {"message": f'secrets "{name}" not found'}
        if method == "GET":
            return 200, there
        made = json.loads(body)
        if there is not None and there["type"] != made["type"]:
            return 422, {"message": "type: field is immutable"}
        self.secrets[name] = made
        return (201 if method == "POST" else 200), made


def _handler(server: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            token = self.headers.get("Authorization", "")
            status, document = server.answer(self.command, self.path, token, body)
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing to tell."""

    return Handler


def signed_for(folder: Path, *names: str) -> tuple[Path, Path]:
    """A certificate that signs itself for names and addresses, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    certificate, private = folder / "tls.crt", folder / "tls.key"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private


def _name(text: str) -> x509.GeneralName:
    if text[0].isdigit():
        return x509.IPAddress(ip_address(text))
    return x509.DNSName(text)
