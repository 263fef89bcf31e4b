"""cluster_api: the Secrets of a pod's own namespace, over the Kubernetes API."""

import base64
import http.client
import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
ANSWER_SECONDS_MAX = 30.0
ABSENT, TAKEN = 404, 409
TLS_KEYS = frozenset({"tls.crt", "tls.key"})


class ClusterRefused(RuntimeError):
    """The API does not do what was asked, or can't be reached; one sentence, without a secret."""


@dataclass(frozen=True)
class ClusterApi:
    """One API server, as whom the token names. context : checks the server by the cluster's CA."""

    host: str
    port: int
    namespace: str
    token_file: Path
    context: ssl.SSLContext

    @staticmethod
    def of_pod(
        account: Path = ACCOUNT, environment: Mapping[str, str] = os.environ
    ) -> "ClusterApi":
        """By what the kubelet gives a pod. Raises ClusterRefused outside of one, OSError."""
        host = environment.get("KUBERNETES_SERVICE_HOST", "")
        if not host:
            raise ClusterRefused("KUBERNETES_SERVICE_HOST is not set; this runs in a pod")
        port = int(environment.get("KUBERNETES_SERVICE_PORT", "443"))
        namespace = (account / "namespace").read_text(encoding="utf-8").strip()
        context = ssl.create_default_context(cafile=str(account / "ca.crt"))
        return ClusterApi(host, port, namespace, account / "token", context)

    def secret(self, name: str) -> dict[str, bytes] | None:
        """A Secret's content; None where there is none. Raises ClusterRefused."""
        status, document = self._ask("GET", name)
        if status == ABSENT:
            return None
        self._must_hold(status, document, f"read Secret {name}")
        data: Mapping[str, str] = document.get("data") or {}
        return {key: base64.b64decode(text) for key, text in data.items()}

    def make_secret(self, name: str, data: Mapping[str, bytes], owner: str) -> None:
        """Raises ClusterRefused, also where there is one by now: what it holds was not read."""
        status, document = self._ask("POST", "", _manifest(name, data, owner))
        if status == TAKEN:
            raise ClusterRefused(f"Secret {name} was made meanwhile; try again")
        self._must_hold(status, document, f"make Secret {name}")

    def change_secret(self, name: str, data: Mapping[str, bytes], owner: str) -> None:
        """Its content is `data` alone. Raises ClusterRefused."""
        status, document = self._ask("PUT", name, _manifest(name, data, owner))
        self._must_hold(status, document, f"change Secret {name}")

    def _ask(
        self, method: str, name: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        path = f"/api/v1/namespaces/{self.namespace}/secrets"
        headers = {
            # Read anew: the kubelet exchanges it.
            "Authorization": f"Bearer {self.token_file.read_text(encoding='utf-8').strip()}",
            "Content-Type": "application/json",
        }
        connection = http.client.HTTPSConnection(
            self.host, self.port, timeout=ANSWER_SECONDS_MAX, context=self.context
        )
        try:
            connection.request(
                method,
                f"{path}/{name}" if name else path,
                None if body is None else json.dumps(body),
                headers,
            )
            answer = connection.getresponse()
            return answer.status, _decoded(answer.read())
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise ClusterRefused(f"{self.host}:{self.port} does not answer: {why}") from error
        finally:
            connection.close()

    def _must_hold(self, status: int, document: Mapping[str, Any], what: str) -> None:
        if not 200 <= status < 300:
            why = document.get("message", "no reason given")
            raise ClusterRefused(f"can't {what} in {self.namespace}: {status}, {why}")


def _decoded(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _manifest(name: str, data: Mapping[str, bytes], owner: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/part-of": "stratvector",
                "app.kubernetes.io/managed-by": "stratvector-provision",
                "stratvector/release": owner,
            },
        },
        "type": "kubernetes.io/tls" if data.keys() >= TLS_KEYS else "Opaque",
        "data": {key: base64.b64encode(content).decode() for key, content in data.items()},
    }
