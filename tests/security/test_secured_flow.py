"""A session through every service by TLS, while certificates and keys are replaced."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from stratvector.runtime.jetstream.accounts import USERS, accounts_config
from stratvector.runtime.jetstream.keys import KeyFolder
from tests.processes.house import SERVICES, House
from tests.security.authorities import Authorities
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.side_by_side import named

SESSION = named(generated_session(3, Shape(2, 2, 3, closes=400)), "main", "replay.a")
CLOSES_PER_SECOND = 40.0


@pytest.mark.long
def test_certificates_and_keys_are_replaced_under_flow_and_nothing_is_lost(tmp_path: Path) -> None:
    """New leaves, both keys accepted, new seeds, old keys dropped, which cuts every connection: no
    process ends, and the log is the engine's to the last lot.
    """
    authorities = Authorities(tmp_path / "tls")
    house, keys = House(tmp_path, authorities.own), KeyFolder(tmp_path / "keys")
    new_keys = KeyFolder(tmp_path / "new-keys")
    old = {user: keys.ensure(user) for user in USERS}
    new = {user: new_keys.ensure(user) for user in USERS}
    with ExitStack() as stack:
        house.start(stack, closes_per_s_max=CLOSES_PER_SECOND)
        house.apply(SESSION)
        house.until_recording(SESSION)
        pids = {name: process.pid for name, process in house.services.items()}
        authorities.renew()
        house.server.reload(accounts_config(new, old))
        for user in USERS:
            new_keys.seed_file(user).replace(keys.seed_file(user))
        before = house.connections()
        house.server.reload(accounts_config(new))
        assert not is_over(house), "the session ended before anything was replaced"
        house.until_recorded(SESSION)
        assert set(house.connections()) == set(before)
        assert not set(house.connections().values()) & set(before.values())
        equal, complete, orders = house.parity(SESSION)
        assert (equal, complete) == (True, True)
        assert orders
        assert {name: process.pid for name, process in house.services.items()} == pids
        assert [process.stop() for process in house.services.values()] == [0] * len(SERVICES)


def is_over(house: House) -> bool:
    return bool(house.services["risk"].events("part_finished"))
