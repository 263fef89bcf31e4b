"""Ports and replicas: what listens where, and each wrong wish in one sentence."""

import socket
from collections.abc import Iterator

import pytest

from stratvector.cli.failures import CommandFailed
from stratvector.cli.platform import ports
from stratvector.cli.platform.ports import plan_ports, taken_ports, usual_plan
from stratvector.cli.platform.replicas import parse_replicas, seat_names
from stratvector.runtime.free_ports import free_port, is_free
from stratvector.trading.flow import SERVICES

SEATS = [(service, service) for service in SERVICES]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that is listened on, above two free ones; the system gives none of them away."""
    number = free_port()
    while not (is_free(number - 2) and is_free(number - 1)):
        number = free_port()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", number))
        listener.listen()
        yield number


def test_services_have_the_usual_ports_in_flow_order() -> None:
    plan = usual_plan()
    assert (plan.nats, plan.monitor) == (4222, None)
    assert [(s.grpc, s.http) for s in plan.seats.values()] == [
        (50051, 9101),
        (50052, 9102),
        (50053, 9103),
        (50054, 9104),
        (50055, 9105),
        (50056, 9106),
        (50057, 8080),
        (50058, 9108),
        (50059, 9109),
    ]
    assert plan.console_url == "http://localhost:8000"
    assert list(plan.pages()) == [
        ("Console", "http://localhost:8000"),
        ("API", "http://localhost:8000/api/docs"),
        ("Drift", "http://localhost:8080"),
    ]


def test_replicas_take_free_ports_above_the_usual_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda number: number not in (50060, 9111))
    seats = seat_names(parse_replicas("risk=2,strategy=2"))
    plan = plan_ports(seats)
    assert (plan.seats["strategy-2"].grpc, plan.seats["strategy-2"].http) == (50061, 9110)
    assert (plan.seats["risk-2"].grpc, plan.seats["risk-2"].http) == (50062, 9112)
    assert plan.seats["execution"].grpc == 50054


def test_a_base_port_moves_everything_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda number: True)
    plan = plan_ports(SEATS, base_port=20_000)
    assert [number for number, _ in plan.purposes()] == list(range(20_000, 20_011))


def test_the_console_alone_can_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda number: True)
    plan = plan_ports(seat_names(parse_replicas(None)), console_port=8_765)
    assert plan.console_url == "http://localhost:8765"
    assert plan.seats["drift"].http == 8_080


def test_a_taken_console_port_names_the_option_that_moves_it(taken: int) -> None:
    with pytest.raises(CommandFailed) as refused:
        plan_ports(seat_names(parse_replicas(None)), base_port=0, console_port=taken)
    assert str(refused.value).startswith(
        f"port {taken} for the console is taken; --port N moves it, --base-port N takes other"
    )


@pytest.mark.parametrize("service", ["drift", "research", "gateway"])
def test_what_users_know_by_its_port_or_folder_runs_once(service: str) -> None:
    with pytest.raises(CommandFailed) as refused:
        parse_replicas(f"{service}=2")
    assert str(refused.value) == (
        f"--replicas '{service}=2': of {service} one process runs on a machine"
    )


def test_base_port_0_takes_ports_that_are_free_and_different() -> None:
    plan = plan_ports(SEATS, base_port=0)
    numbers = [number for number, _ in plan.purposes()]
    assert len(set(numbers)) == 11
    assert taken_ports(plan) == []


def test_a_taken_port_is_named_with_its_purpose_and_the_way_out(taken: int) -> None:
    with pytest.raises(CommandFailed) as refused:
        plan_ports(SEATS, base_port=0, nats_port=taken)
    assert str(refused.value) == (
        f"port {taken} for NATS is taken; --nats-port N moves it, --base-port N takes other "
        "ports in a row from N (0: any that are free)"
    )
    with pytest.raises(CommandFailed, match=rf"port {taken} for gRPC of market_data is taken; --"):
        plan_ports(SEATS, base_port=taken - 1)


@pytest.mark.parametrize("base_port", [-5, 65_530])
def test_ports_that_do_not_exist_are_refused(base_port: int) -> None:
    with pytest.raises(CommandFailed, match="does not exist; a port is from 1 to 65535"):
        plan_ports(SEATS, base_port=base_port)


def test_one_port_is_never_given_twice() -> None:
    free = plan_ports(SEATS, base_port=0).nats
    with pytest.raises(CommandFailed, match="is for NATS and for the monitor of NATS"):
        plan_ports(SEATS, base_port=0, nats_port=free, monitor_port=free)


def test_replicas_are_counted_by_service_in_flow_order() -> None:
    counts = parse_replicas("risk=2, market_data=3")
    assert list(counts.items()) == [
        ("market_data", 3),
        ("strategy", 1),
        ("risk", 2),
        ("execution", 1),
        ("ledger", 1),
        ("monte_carlo", 1),
        ("drift", 1),
        ("research", 1),
        ("gateway", 1),
    ]
    assert [name for name, _ in seat_names(counts)] == [
        "market_data",
        "market_data-2",
        "market_data-3",
        "strategy",
        "risk",
        "risk-2",
        "execution",
        "ledger",
        "monte_carlo",
        "drift",
        "research",
        "gateway",
    ]
    assert set(parse_replicas(None).values()) == {1}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("risks=2", "there is no service 'risks'; the services are market_data, strategy, risk"),
        ("risk", "'risk' is not SERVICE=COUNT, such as --replicas risk=2,strategy=2"),
        ("", "'' is not SERVICE=COUNT"),
        ("risk=two", "risk is 'two'; it must be a whole number from 1 to 16"),
        ("risk=0", "risk is '0'; it must be a whole number from 1 to 16"),
        ("risk=-1", "risk is '-1'; it must be"),
        ("risk=17", "risk is '17'; it must be"),
        ("risk=²", "risk is '²'; it must be"),
        ("risk=2,risk=3", "risk is named twice; keep one"),
    ],
)
def test_replicas_that_make_no_sense_are_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(CommandFailed) as refused:
        parse_replicas(text)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
