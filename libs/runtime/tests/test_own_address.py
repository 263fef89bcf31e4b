"""Where other replicas reach a process that listens on every address, as long as anybody can."""

import os
import socket
import subprocess
import sys
from typing import NoReturn

import pytest

from stratvector.runtime.process import forwarding
from stratvector.runtime.process.forwarding import address_of


def test_an_address_that_is_configured_is_told_as_it_is() -> None:
    assert address_of("10.0.0.7", 50_051) == "10.0.0.7:50051"
    assert address_of("fd00::7", 50_051) == "[fd00::7]:50051"


def test_on_every_address_it_is_one_at_which_this_machine_listens() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listening:
        host, port = address_of("0.0.0.0", listening.getsockname()[1]).rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10):
            pass


def test_cut_off_from_its_network_it_tells_what_it_told_before_and_asks_no_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a container whose network is taken, and with it the line of its name in /etc/hosts."""
    monkeypatch.setattr(forwarding, "_way_out", lambda: "")
    asked = list[str]()

    def unanswered(name: str) -> NoReturn:
        asked.append(name)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "gethostbyname", unanswered)
    assert address_of("", 50_051, "172.20.0.5:50051") == "172.20.0.5:50051"
    assert asked == []
    assert address_of("", 50_051) == ""
    assert len(asked) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a network of its own")
def test_a_network_without_a_way_out_is_known_as_one() -> None:
    command = "from stratvector.runtime.process.forwarding import _way_out; print([_way_out()])"
    run = ["unshare", "--net", sys.executable, "-c", command]
    assert subprocess.run(run, capture_output=True, text=True).stdout == "['']\n"


def test_who_comes_back_with_another_address_tells_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forwarding, "_way_out", lambda: "172.20.0.9")
    assert address_of("::", 50_051, "172.20.0.5:50051") == "172.20.0.9:50051"


def test_without_a_way_out_the_machines_name_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "_way_out", lambda: "")
    monkeypatch.setattr(socket, "gethostbyname", lambda _: "10.1.1.1")
    assert address_of("0.0.0.0", 50_051) == "10.1.1.1:50051"
