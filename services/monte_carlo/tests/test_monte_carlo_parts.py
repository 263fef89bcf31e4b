"""A process one of whose parts has ended does not look alive: it ends, and is started again."""

import signal
import socket
from pathlib import Path

from stratvector.runtime.jetstream.server import NatsServer
from tests.processes.monte_carlo_process import (
    MonteCarloProcess,
    figures,
    python_figures,
    request,
)
from tests.processes.service_process import PATIENCE_SECONDS

# The client library takes every subject for UTF-8 and fails at this one.
NO_TEXT = b"\xff\xfe"


def announce_a_run_with_a_reply_to(nats: NatsServer, reply: bytes) -> None:
    """Publish without a client library, which would refuse such a subject."""
    address = (nats.settings.host, nats.settings.port)
    with socket.create_connection(address, PATIENCE_SECONDS) as raw:
        raw.sendall(b"CONNECT {}\r\nPUB montecarlo.runs " + reply + b" 0\r\n\r\nPING\r\n")
        said = b""
        while b"PONG\r\n" not in said:
            more = raw.recv(4096)
            assert more, said
            said += more


def test_a_process_whose_worker_ended_ends_with_one_sentence_and_exit_code_1(
    nats: NatsServer, tmp_path: Path
) -> None:
    with MonteCarloProcess(tmp_path, "hurt", nats_url=nats.url) as service:
        service.until_state("owner")
        announce_a_run_with_a_reply_to(nats, NO_TEXT)
        assert service.ended() == 1
        sentence = "the worker ended without being asked to"
        assert [line["reason"] for line in service.events("part_ended")] == [sentence]
        assert service.err.read_text() == f"monte_carlo: {sentence}\n"
        assert service.events("stopped") == []
        service.start()
        assert figures(service.run(request(5_000, 2))) == python_figures(5_000, 2)


def test_a_process_that_is_asked_to_stop_says_nothing_of_ended_parts(
    nats: NatsServer, tmp_path: Path
) -> None:
    with MonteCarloProcess(tmp_path, "well", nats_url=nats.url) as service:
        service.until_state("owner")
        service.signal(signal.SIGTERM)
        assert service.ended() == 0
        assert service.events("part_ended") == []
        assert service.err.read_text() == ""
