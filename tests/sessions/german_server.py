"""A way to a PostgreSQL server on which it refuses in German, as with `lc_messages=de_DE`.

The tests' server has one language, so what it says is translated on its way: the sentence alone, as
a server does, not the SQLSTATE.
"""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

HEADER_BYTES = 5  # a message's type and its length, which counts itself
SENTENCES = {
    b"28P01": "Passwort-Authentifizierung für Benutzer »ledger« fehlgeschlagen",
    b"28000": "Rolle »ledger« hat keine Berechtigung zum Einloggen",
    b"3D000": "Datenbank »nowhere« existiert nicht",
    b"53300": "zu viele Verbindungen für Rolle »crowded«",
    b"57P03": "das Datenbanksystem startet",
}


@contextmanager
def in_german(port: int) -> Iterator[int]:
    """The port of the way; connections on it must not ask for TLS."""

    class Way(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as there:
                asking = threading.Thread(target=_copied, args=(self.request, there))
                asking.start()
                with there.makefile("rb") as answers:
                    for message in _messages(answers):
                        self.wfile.write(message)
                self.request.shutdown(socket.SHUT_RDWR)
                asking.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Way) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            serving.join()


def _copied(here: socket.socket, there: socket.socket) -> None:
    while data := here.recv(65_536):
        there.sendall(data)
    there.shutdown(socket.SHUT_WR)


def _messages(answers: BinaryIO) -> Iterator[bytes]:
    """What the server says, message by message, its errors translated."""
    while len(header := answers.read(HEADER_BYTES)) == HEADER_BYTES:
        kind, length = header[:1], int.from_bytes(header[1:], "big")
        body = answers.read(length - 4)
        if kind == b"E":
            body = _translated(body)
        yield kind + (len(body) + 4).to_bytes(4, "big") + body


def _translated(body: bytes) -> bytes:
    """Fields of an error: a letter and a text each, ended by zeros."""
    fields = {field[:1]: field[1:] for field in body.split(b"\0") if field}
    if (sentence := SENTENCES.get(fields[b"C"])) is not None:
        fields[b"M"] = sentence.encode()
    return b"".join(name + text + b"\0" for name, text in fields.items()) + b"\0"
