"""A service as a process of its own, on a real server: states, ports, hand-over, and every way to
end.
"""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from stratvector.contracts.codecs import encode_closed_bars
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.ports import Message
from stratvector.trading.lanes import bars_lane, orders_lane, positions_lane
from stratvector.trading.session import Session
from tests.processes.service_process import ServiceProcess
from tests.sessions.begun import begin_at
from tests.sessions.generated_sessions import Shape, generated_session

SESSION = generated_session(3, Shape(closes=10))
POSITIONS = positions_lane(SESSION.portfolio)
ORDERS = orders_lane(SESSION.portfolio)
UNIVERSE = SESSION.portfolio.universes[0]
BARS = bars_lane(SESSION.portfolio, UNIVERSE)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
MODULE = "tests.processes.planted_service"


class Stage:
    """A provisioned server and a recorded session, for any number of planted processes."""

    def __init__(self, folder: Path, session: Session) -> None:
        self.session = session
        self.server = NatsServer(
            ServerSettings(folder / "store", free_port()), folder, folder / "nats.log"
        )

    def raise_server(self) -> None:
        self.server.start()
        begin_at(self.server.url, self.session)

    def planted(
        self, plan: str, folder: Path, name: str = "planted", **other: Any
    ) -> ServiceProcess:
        settings = {"nats_url": self.server.url, "lease_seconds": 1.0, "drain_seconds": 3.0}
        return ServiceProcess(MODULE, folder, name, {"PLANTED_PLAN": plan}, **(settings | other))

    def publish(self, lane: str, payload: bytes) -> int:
        async def send() -> int:
            client = await connect(self.server.url, None, "test", 30.0)
            message = Message(lane, "id-1", payload, 1)
            stored = await JetStreamBus(client).publish(message, 0)
            await client.close()
            return stored.sequence

        return asyncio.run(send())

    def value(self, bucket: str, key: str) -> str:
        async def ask() -> str:
            client = await connect(self.server.url, None, "test", 30.0)
            entry = await JetStreamKeyValue(client, bucket).get(key)
            await client.close()
            return "" if entry is None else entry.value.decode()

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"), SESSION)
    stage.raise_server()
    yield stage
    stage.server.stop()


@pytest.fixture
def dark_stage(tmp_path: Path) -> Iterator[Stage]:
    """Its server is not started yet."""
    stage = Stage(tmp_path, SESSION)
    yield stage
    stage.server.stop()


def until_health(port: int, status: int) -> None:
    """Returns when gRPC health says so: it follows the state within a moment."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        for answer in stub.Watch(health_pb2.HealthCheckRequest(), timeout=30.0):
            if answer.status == status:
                return


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_owns_its_lane_tells_of_it_and_leaves_nothing_when_asked_to_end(
    stage: Stage, tmp_path: Path, number: signal.Signals
) -> None:
    with stage.planted("work", tmp_path) as planted:
        told = planted.until_state("owner")
        (lane,) = told["lanes"]
        assert (told["ready"], told["reason"]) == (True, "")
        assert (lane["subject"], lane["state"]) == (POSITIONS, "owner")
        assert lane["epoch"] >= 1
        assert planted.get("/healthz")[0] == planted.get("/readyz")[0] == 200
        metrics = planted.get("/metrics")[1]
        assert f'stratvector_lane_owner{{lane="{POSITIONS}"}} 1.0' in metrics
        assert f'stratvector_messages_published_total{{subject="{POSITIONS}"}}' in metrics
        until_health(planted.port("grpc_port"), SERVING)
        planted.signal(number)
        assert planted.ended() == 0
        assert planted.events("asked_to_stop")[0]["signal"] == number.name
        assert planted.events("left_behind") == []
        assert planted.log()[-1]["event"] == "stopped"
        assert planted.err.read_text() == ""
        for line in planted.log():
            assert line["service"] == "planted"
            assert line["instance"].startswith(f"planted-{socket.gethostname()}-{planted.pid}-")
            assert line["time"].endswith("Z")
    assert stage.value("owners", f"owner.{POSITIONS}") == f"- {lane['epoch']}"


def test_a_standby_owns_the_lane_as_soon_as_the_owner_is_asked_to_end(
    stage: Stage, tmp_path: Path
) -> None:
    with stage.planted("work", tmp_path, "first", lease_seconds=600.0) as first:
        epoch = first.until_state("owner")["lanes"][0]["epoch"]
        with stage.planted("work", tmp_path, "second", lease_seconds=3.0) as second:
            told = second.until_state("standby")
            assert (told["ready"], told["lanes"][0]["epoch"]) == (True, 0)
            assert first.stop() == 0
            assert second.until_state("owner")["lanes"][0]["epoch"] == epoch + 1
            assert second.stop() == 0


def test_a_standby_owns_the_lane_of_a_killed_owner_after_the_lease(
    stage: Stage, tmp_path: Path
) -> None:
    with stage.planted("work", tmp_path, "first") as first:
        first.until_state("owner")
        with stage.planted("work", tmp_path, "second") as second:
            second.until_state("standby")
            first.kill()
            second.until_state("owner")
            assert second.stop() == 0


def test_a_service_waits_for_its_bus_and_says_so(dark_stage: Stage, tmp_path: Path) -> None:
    with dark_stage.planted("work", tmp_path) as planted:
        told = planted.until_state("starting")
        while "waiting for NATS" not in told["reason"]:
            told = planted.readiness()
        assert told["reason"].startswith(f"waiting for NATS at {dark_stage.server.url}")
        assert planted.get("/readyz")[0] == 503
        assert planted.get("/healthz")[0] == 200
        dark_stage.raise_server()
        planted.until_state("owner")
        assert planted.stop() == 0
        assert planted.err.read_text() == ""


def test_a_service_whose_bus_is_gone_is_not_ready_and_can_be_asked_to_end(
    dark_stage: Stage, tmp_path: Path
) -> None:
    dark_stage.raise_server()
    with dark_stage.planted("work", tmp_path, lease_seconds=60.0) as planted:
        planted.until_state("owner")
        dark_stage.server.kill()
        while planted.get("/readyz")[0] == 200:
            pass
        assert planted.readiness()["reason"].startswith("waiting for NATS at ")
        assert planted.stop() == 0
        assert planted.said("lanes_not_handed_over")["lanes"] == [POSITIONS]
        assert planted.err.read_text() == ""


def test_a_service_that_waits_for_its_bus_can_be_asked_to_end(
    dark_stage: Stage, tmp_path: Path
) -> None:
    with dark_stage.planted("work", tmp_path) as planted:
        planted.said("waiting for the bus")
        assert planted.stop() == 0


def test_a_finished_service_stays_ready_and_keeps_its_lane(stage: Stage, tmp_path: Path) -> None:
    with stage.planted("finish", tmp_path) as planted:
        told = planted.until_state("finished")
        assert (told["ready"], told["lanes"][0]["state"]) == (True, "finished")
        assert planted.stop() == 0


def test_a_defect_is_logged_with_its_traceback_and_ends_the_process_with_1(
    stage: Stage, tmp_path: Path
) -> None:
    with stage.planted("fail", tmp_path) as planted:
        assert planted.ended() == 1
        (defect,) = planted.events("defect")
        assert "ZeroDivisionError: planted defect" in defect["exception"]
        assert defect["reason"] == "ZeroDivisionError: planted defect"
        assert "planted_service.py" in defect["exception"]
    assert stage.value("owners", f"owner.{POSITIONS}").startswith("- ")


def test_what_a_person_must_put_right_is_one_sentence(stage: Stage, tmp_path: Path) -> None:
    with stage.planted("refuse", tmp_path) as planted:
        assert planted.ended() == 78
        assert planted.err.read_text() == "planted: the planted store is not to be had\n"
        assert planted.events("refused")[0]["reason"] == "the planted store is not to be had"


def test_a_lost_lane_begins_anew_alone_and_the_process_lives_on(
    stage: Stage, tmp_path: Path
) -> None:
    with stage.planted("lose", tmp_path) as planted:

        def epochs() -> dict[str, int]:
            return {one["subject"]: one["epoch"] for one in planted.until_state("owner")["lanes"]}

        before = epochs()
        assert POSITIONS in planted.said("lost_lane")["reason"]
        while (after := epochs())[POSITIONS] == before[POSITIONS]:
            pass
        assert after == {POSITIONS: before[POSITIONS] + 1, ORDERS: before[ORDERS]}
        assert planted.stop() == 0
        assert stage.value("owners", f"owner.{ORDERS}").startswith("- ")


def test_a_message_that_cant_be_processed_is_noted_and_halts_again_after_a_restart(
    stage: Stage, tmp_path: Path
) -> None:
    lane = BARS
    sequence = stage.publish(lane, b"\xffpoison")
    key = f"planted.BARS.{sequence}"
    for name in ("first", "again"):
        with stage.planted("read", tmp_path, name) as planted:
            told = planted.until_state("halted")
            assert planted.get("/readyz")[0] == 503
            assert told["reason"].startswith(f"message {sequence} of {lane} can't be processed: ")
            assert told["lanes"][0]["state"] == "halted"
            assert planted.said("halted")["quarantine"] == key
            assert "stratvector_quarantined_messages_total 1.0" in planted.get("/metrics")[1]
            assert planted.get("/healthz")[0] == 200
            until_health(planted.port("grpc_port"), NOT_SERVING)
            assert planted.stop() == 0
    note = json.loads(stage.value("quarantine", key))
    assert (note["subject"], note["sequence"], note["id"]) == (lane, sequence, "id-1")


def test_a_foreign_message_is_noted_under_its_own_place_and_halts_its_lane(
    stage: Stage, tmp_path: Path
) -> None:
    with stage.planted("meet_foreigner", tmp_path) as planted:
        told = planted.until_state("halted")
        assert told["reason"] == (
            f"message 7 of {POSITIONS} can't be processed: it was not written by an owner of the "
            f"lane: Stratvector-Owner is missing; lane {POSITIONS} is halted"
        )
        assert planted.said("halted")["quarantine"] == "planted.POSITIONS.7"
        assert planted.stop() == 0
    note = json.loads(stage.value("quarantine", "planted.POSITIONS.7"))
    assert (note["subject"], note["sequence"]) == (POSITIONS, 7)


def test_a_message_that_no_owner_wrote_halts_who_reads_it(
    dark_stage: Stage, tmp_path: Path
) -> None:
    dark_stage.raise_server()
    lane = BARS

    async def send() -> None:
        client = await connect(dark_stage.server.url, None, "stranger", 30.0)
        await client.request(lane, b"no headers", 10.0)
        await client.close()

    asyncio.run(send())
    with dark_stage.planted("read", tmp_path) as planted:
        assert "was not written by an owner of the lane" in planted.until_state("halted")["reason"]
        assert planted.said("halted")["quarantine"] == "planted.BARS.1"
        assert planted.stop() == 0


def test_an_execution_that_no_account_can_take_halts_at_the_message_at_hand(
    dark_stage: Stage, tmp_path: Path
) -> None:
    dark_stage.raise_server()
    lane = BARS
    section = next(SESSION.sections(UNIVERSE.name, 0))
    sequence = dark_stage.publish(lane, encode_closed_bars(section))
    with dark_stage.planted("refuse_execution", tmp_path) as planted:
        told = planted.until_state("halted")
        assert told["reason"] == (
            f"message {sequence} of {lane} can't be processed: execution execution-1 of A belongs "
            f"to order order-1, which is not working; lane {POSITIONS} is halted"
        )
        assert planted.events("defect") == []
        assert planted.stop() == 0
    assert dark_stage.value("quarantine", f"planted.BARS.{sequence}")


def test_the_third_failure_at_one_message_halts_its_lane_instead_of_the_process(
    dark_stage: Stage, tmp_path: Path
) -> None:
    dark_stage.raise_server()
    section = next(SESSION.sections(UNIVERSE.name, 0))
    sequence = dark_stage.publish(BARS, encode_closed_bars(section))
    for count in (1, 2):
        with dark_stage.planted("trip", tmp_path, f"attempt-{count}") as planted:
            assert planted.ended() == 1
            assert planted.said("failure_counted")["count"] == count
    for count in (3, 4):  # halted, and halted again after a person's restart
        with dark_stage.planted("trip", tmp_path, f"attempt-{count}") as planted:
            reason = planted.until_state("halted")["reason"]
            assert f"{count} attempts failed, the last with ZeroDivisionError: " in reason
            assert reason.endswith(f"; lane {POSITIONS} is halted")
            assert planted.stop() == 0
    assert dark_stage.value("quarantine", f"planted.BARS.{sequence}")


def test_health_fails_while_the_event_loop_is_stuck(stage: Stage, tmp_path: Path) -> None:
    with stage.planted("block", tmp_path, stall_seconds=0.5) as planted:
        while planted.get("/healthz")[0] == 200:
            pass
        assert planted.get("/metrics")[0] == 200


@pytest.mark.parametrize(
    ("plan", "left"),
    [
        ("cling", "task main 0"),
        ("leave_task", "task planted task"),
        ("leave_call", "a call on a thread of the event loop"),
        ("leave_thread", "thread planted thread"),
        ("leave_socket", "socket "),
        ("leave_child", "child "),
    ],
)
def test_what_is_left_behind_is_named_and_ends_the_process_with_1(
    stage: Stage, tmp_path: Path, plan: str, left: str
) -> None:
    with stage.planted(plan, tmp_path) as planted:
        planted.until_state("owner")
        assert planted.stop() == 1
        (found,) = planted.events("left_behind")
        assert [one.startswith(left) for one in found["left"]] == [True]
        if plan == "leave_child":
            os.kill(int(found["left"][0].split()[1]), signal.SIGKILL)
    assert stage.value("owners", f"owner.{POSITIONS}").startswith("- ")


def test_a_thread_that_is_ending_is_not_left_behind(stage: Stage, tmp_path: Path) -> None:
    """A pool tells its idle threads to end and doesn't wait for them."""
    with stage.planted("leave_ending", tmp_path) as planted:
        planted.until_state("owner")
        assert planted.stop() == 0
        assert planted.events("left_behind") == []


def test_a_start_that_cant_work_is_one_sentence_and_78_or_1_when_it_may_heal(
    stage: Stage, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "bad.seed").write_text("SUNOSEED")
        refusals = {
            "http_port": (port, f"http_port: can't listen on 127.0.0.1:{port}: "),
            "grpc_port": (port, f"grpc_port: can't listen on 127.0.0.1:{port}: "),
            "nats_seed_file": (tmp_path / "bad.seed", f"seed file {tmp_path}/bad.seed holds no"),
        }
        for key, (value, sentence) in refusals.items():
            with stage.planted("work", tmp_path, key, **{key: value}) as planted:
                assert planted.ended() == (1 if key.endswith("_port") else 78)
                told = planted.err.read_text()
                assert told.startswith(f"planted: {sentence}")
                assert told.count("\n") == 1
                assert planted.events("refused")[0]["reason"] in told
                assert planted.events("left_behind") == []
    assert "SUNOSEED" not in planted.out.read_text() + planted.err.read_text()


def test_wrong_settings_are_one_sentence_and_2(stage: Stage, tmp_path: Path) -> None:
    with stage.planted("work", tmp_path, htpp_port=1) as planted:
        assert planted.ended() == 2
        told = planted.err.read_text()
        assert told.endswith("there is no setting htpp_port; the nearest is http_port\n")
        assert told.count("\n") == 1
