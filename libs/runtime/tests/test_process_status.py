"""The state of a process is that of its lanes, as they are when somebody asks."""

from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.process.status import State, Status
from stratvector.runtime.process.work import Part

BARS = ("bars.replay.1.crypto.4H", "bars.replay.1.equity.1D")
MAIN, OTHER = "replay.1.main", "replay.2.main"


def test_a_process_goes_from_starting_over_standby_to_finished(play) -> None:  # type: ignore[no-untyped-def]
    async def script(ports: Ports) -> None:
        status = Status(waiting_for="waiting for NATS at nats://x")
        assert (status.state(), status.is_ready()) == (State.STARTING, False)
        assert status.reason() == "waiting for NATS at nats://x"
        status.waiting_for = ""
        assert status.reason() == "the service is being built"
        lanes = [Lane(ports, subject) for subject in BARS]
        parts = [Part("", 0), *(Part(MAIN, n, lane) for n, lane in enumerate(lanes))]
        status.parts, status.started = lambda: parts, True
        assert (status.state(), status.is_ready()) == (State.STANDBY, True)
        await lanes[0].acquire()
        assert [lane.state for lane in status.lane_statuses()] == [State.OWNER, State.STANDBY]
        assert status.state() == State.STANDBY
        await lanes[1].acquire()
        assert status.state() == State.OWNER
        parts[2].finished = True
        assert [lane.state for lane in status.lane_statuses()] == [State.OWNER, State.FINISHED]
        assert status.state() == State.OWNER
        parts[1].finished = True
        assert (status.state(), status.is_ready()) == (State.FINISHED, True)

    play(script)


def test_a_process_is_finished_when_all_its_portfolios_are(play) -> None:  # type: ignore[no-untyped-def]
    async def script(ports: Ports) -> None:
        lanes = [Lane(ports, subject) for subject in BARS]
        parts = [Part(MAIN, 0, lanes[0], finished=True), Part(OTHER, 0, lanes[1])]
        status = Status(started=True, parts=lambda: parts)
        assert status.portfolio_states() == {MAIN: State.FINISHED, OTHER: State.STANDBY}
        assert status.state() == State.STANDBY
        await lanes[1].acquire()
        assert status.state() == State.OWNER
        parts[1].finished = True
        assert status.state() == State.FINISHED

    play(script)


def test_one_halted_lane_halts_the_process_and_says_why(play) -> None:  # type: ignore[no-untyped-def]
    async def script(ports: Ports) -> None:
        lanes = [Lane(ports, subject) for subject in BARS]
        parts = [Part(MAIN, 0, lanes[0]), Part(OTHER, 0, lanes[1])]
        status = Status(started=True, parts=lambda: parts)
        for lane in lanes:
            await lane.acquire()
        parts[1].halted = "message 7 can't be processed"
        assert (status.state(), status.is_ready()) == (State.HALTED, False)
        assert status.document() == {
            "state": "halted",
            "ready": False,
            "reason": "message 7 can't be processed",
            "idle": "",
            "held": {},
            "portfolios": {MAIN: "owner", OTHER: "halted"},
            "lanes": [
                {"subject": BARS[0], "state": "owner", "epoch": 1, "sequence": 1, "held_back": ""},
                {"subject": BARS[1], "state": "halted", "epoch": 1, "sequence": 2, "held_back": ""},
            ],
        }
        status.draining = True
        assert (status.state(), status.is_ready()) == (State.DRAINING, False)

    play(script)


def test_a_portfolio_that_is_refused_halts_alone_and_says_why() -> None:
    status = Status(started=True, parts=lambda: [Part(MAIN, 0)])
    assert (status.state(), status.is_ready()) == (State.OWNER, True)
    status.refused = {OTHER: "its bars are not to be had"}
    assert status.portfolio_states() == {MAIN: State.OWNER, OTHER: State.HALTED}
    assert (status.state(), status.is_ready()) == (State.HALTED, False)
    assert status.reason() == f"{OTHER}: its bars are not to be had"


def test_the_first_portfolio_that_is_begun_is_waited_for() -> None:
    status = Status(started=True, beginning=(MAIN,))
    assert (status.state(), status.is_ready()) == (State.STARTING, False)
    assert status.reason() == f"beginning {MAIN}"
    assert status.portfolio_states() == {MAIN: State.STARTING}


def test_a_process_that_nobody_gives_work_stands_by_and_is_ready() -> None:
    gone = [""]
    idle = "no portfolio has begun yet"
    status = Status(idle=idle, started=True, trouble=lambda: gone[0])
    assert (status.state(), status.is_ready(), status.reason()) == (State.STANDBY, True, "")
    assert status.document()["idle"] == "no portfolio has begun yet"
    gone[0] = "waiting for NATS at nats://x"
    assert (status.is_ready(), status.reason()) == (False, gone[0])


def test_a_process_without_its_bus_is_not_ready_whatever_it_owns() -> None:
    gone = ["waiting for NATS at nats://x"]
    status = Status(started=True, trouble=lambda: gone[0])
    assert (status.state(), status.is_ready()) == (State.OWNER, False)
    assert status.reason() == "waiting for NATS at nats://x"
    gone[0] = ""
    assert (status.is_ready(), status.reason()) == (True, "")
