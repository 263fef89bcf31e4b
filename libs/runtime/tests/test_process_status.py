"""The state of a process is that of its lanes, as they are when somebody asks."""

from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.process.status import State, Status

BARS = ("bars.crypto.4H", "bars.equity.1D")


def test_a_process_goes_from_starting_over_standby_to_finished(play) -> None:  # type: ignore[no-untyped-def]
    async def script(ports: Ports) -> None:
        status = Status(waiting_for="waiting for NATS at nats://x")
        assert (status.state(), status.is_ready()) == (State.STARTING, False)
        assert status.reason() == "waiting for NATS at nats://x"
        status.waiting_for = ""
        assert status.reason() == "the service is being built"
        lanes = [Lane(ports, subject) for subject in BARS]
        status.lanes, status.mains, status.started = lanes, 2, True
        assert (status.state(), status.is_ready()) == (State.STANDBY, True)
        await lanes[0].acquire()
        assert [lane.state for lane in status.lane_statuses()] == [State.OWNER, State.STANDBY]
        assert status.state() == State.STANDBY
        await lanes[1].acquire()
        assert status.state() == State.OWNER
        status.finished.add(1)
        assert [lane.state for lane in status.lane_statuses()] == [State.OWNER, State.FINISHED]
        assert status.state() == State.OWNER
        status.finished.add(0)
        assert (status.state(), status.is_ready()) == (State.FINISHED, True)

    play(script)


def test_one_halted_lane_halts_the_process_and_says_why(play) -> None:  # type: ignore[no-untyped-def]
    async def script(ports: Ports) -> None:
        lanes = [Lane(ports, subject) for subject in BARS]
        status = Status(mains=2, lanes=lanes, started=True)
        for lane in lanes:
            await lane.acquire()
        status.halted[1] = "message 7 can't be processed"
        assert (status.state(), status.is_ready()) == (State.HALTED, False)
        assert status.document() == {
            "state": "halted",
            "ready": False,
            "reason": "message 7 can't be processed",
            "idle": "",
            "lanes": [
                {"subject": BARS[0], "state": "owner", "epoch": 1, "sequence": 1},
                {"subject": BARS[1], "state": "halted", "epoch": 1, "sequence": 2},
            ],
        }
        status.draining = True
        assert (status.state(), status.is_ready()) == (State.DRAINING, False)

    play(script)


def test_a_process_that_nobody_gives_work_stands_by_and_is_ready() -> None:
    gone = [""]
    status = Status(idle="no portfolio has begun yet", trouble=lambda: gone[0])
    assert (status.state(), status.is_ready(), status.reason()) == (State.STANDBY, True, "")
    assert status.document()["idle"] == "no portfolio has begun yet"
    gone[0] = "waiting for NATS at nats://x"
    assert (status.is_ready(), status.reason()) == (False, gone[0])
    gone[0] = status.idle = ""
    assert status.state() == State.STARTING


def test_a_process_without_its_bus_is_not_ready_whatever_it_owns() -> None:
    gone = ["waiting for NATS at nats://x"]
    status = Status(started=True, trouble=lambda: gone[0])
    assert (status.state(), status.is_ready()) == (State.OWNER, False)
    assert status.reason() == "waiting for NATS at nats://x"
    gone[0] = ""
    assert (status.is_ready(), status.reason()) == (True, "")
