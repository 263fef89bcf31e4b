"""What a ledger process is made of, and that it does not start on a database that can't be used."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.simulation.clock import SimulatedClock
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.services.ledger.adapters.migrating import VERSION_TABLE
from stratvector.services.ledger.settings import LedgerSettings
from stratvector.services.ledger.wiring import serve
from stratvector.trading.lanes import positions_lane
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import new_database

SESSION = generated_session(1, Shape(2, 2, 3, closes=25))


def served(folder: Path) -> tuple[Service, Tasks]:
    """What `serve` makes, and what it begins for a portfolio; nothing of it is run."""
    world = World()
    clock = SimulatedClock(world.scheduler, 0.0)
    ports = Ports(world.bus, world.key_value, clock, "ledger-1")
    settings = LedgerSettings(database_url=SecretStr(f"sqlite:///{folder / 'ledger.db'}"))
    service = serve(settings, ports)
    assert service.begin is not None
    tasks = service.begin(Deployment(SESSION, MemoryLedgerStore()))
    assert isinstance(tasks, Tasks)
    for coroutine in (*service.main, *tasks.main):
        coroutine.close()
    return service, tasks


def test_a_ledger_process_records_writes_and_answers(tmp_path: Path) -> None:
    service, tasks = served(tmp_path)
    assert (tmp_path / "ledger.db").is_file()
    assert (len(service.main), len(tasks.main)) == (1, 1)
    assert [lane.subject for lane in tasks.lanes] == [positions_lane(SESSION.portfolio)]
    assert [one.name for one in service.servicers] == ["stratvector.contracts.v1.LedgerService"]


def test_it_does_not_start_on_the_database_of_a_newer_version(tmp_path: Path) -> None:
    database = new_database(tmp_path)
    with database.writer.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0099'"))
    with pytest.raises(CannotStart, match="run a newer version of StratVector"):
        served(tmp_path)
