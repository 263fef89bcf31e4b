"""Takes Alertmanager's webhooks and writes each alert as one JSON line to standard output.

    python alert_webhook.py [--host ADDRESS] [--port PORT]

The path that Alertmanager posts to is the line's `receiver`. It answers 200 once the lines are
written, so Alertmanager sends again what was not. Needs Python alone.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

BODY_BYTES_MAX = 4_000_000
SECONDS_MAX = 10.0
TOLD = ("status", "labels", "annotations", "startsAt", "endsAt")
WRITING = Lock()


def lines(receiver: str, body: bytes) -> Iterator[str]:
    """One JSON document per alert of a notification. Raises ValueError: it is none."""
    notification = json.loads(body)
    if not isinstance(notification, dict) or not isinstance(notification.get("alerts"), list):
        raise ValueError("not a notification of Alertmanager")
    for alert in notification["alerts"]:
        told = {
            key: alert[key] for key in ("status", "labels", "annotations", "startsAt", "endsAt")
        }
        yield json.dumps({"event": "alert", "receiver": receiver, **told})


def tell(*found: str) -> None:
    """Write lines whole, whichever thread has them."""
    with WRITING:
        sys.stdout.write("".join(f"{line}\n" for line in found))
        sys.stdout.flush()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    timeout = SECONDS_MAX

    def do_POST(self) -> None:
        """Write the alerts, then say so; 400 for what is no notification."""
        try:
            length = int(self.headers.get("Content-Length", ""))
            if not 0 <= length <= BODY_BYTES_MAX:
                raise ValueError(f"a body has 0 to {BODY_BYTES_MAX} bytes")
            found = list(lines(self.path.strip("/"), self.rfile.read(length)))
        except (ValueError, KeyError, TypeError) as error:
            self.send_error(400, str(error))
            return
        tell(*found)
        self._say(200)

    def do_GET(self) -> None:
        """200 at /healthz, for probes."""
        self._say(200 if self.path == "/healthz" else 404)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: standard output holds alerts alone."""

    def _say(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    parser = argparse.ArgumentParser(description="Write Alertmanager's alerts as JSON lines.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=5001, help="0 takes a free one")
    options = parser.parse_args()
    with ThreadingHTTPServer((options.host, options.port), Handler) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: Thread(target=server.shutdown).start())
        tell(json.dumps({"event": "listening", "port": server.server_port}))
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
