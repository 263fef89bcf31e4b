"""Services × subjects on a real server: each may do what the flow gives it, and nothing else.

The attacks run against the generated accounts, and against two worse ones: the check must see what
those let through.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from nats.aio.msg import Msg

from stratvector.runtime.jetstream.accounts import (
    APPLY,
    INBOXES,
    MONTE_CARLO,
    ON_FLOW,
    OPERATOR,
    PROVISIONER,
    accounts_config,
    grants,
)
from stratvector.runtime.jetstream.topology import buckets, streams
from stratvector.trading.flow import FLOW, SERVICES, hop, produced_by, read_by
from stratvector.trading.lanes import fills_lane, orders_lane
from stratvector.trading.portfolio import Portfolio
from tests.bus.attacks import HEADERS, IGNORED, attacks, headers_towards, owner_of
from tests.bus.guarded_bus import Accounts, GuardedBus, State, guarded_bus
from tests.bus.lanes import lanes
from tests.sessions.generated_sessions import Shape, generated_session

ASKERS = (*ON_FLOW, MONTE_CARLO, OPERATOR, APPLY)
Say = Callable[[str], None]


@pytest.fixture
def portfolio() -> Portfolio:
    return generated_session(1, Shape(universes=2, closes=5)).portfolio


def foreign_changes(user: str, before: State, after: State) -> list[str]:
    """What a user changed without owning it: of its own it may add messages."""
    changes = []
    for key in sorted(before.keys() | after.keys()):
        kind, name = key
        was, now = before.get(key), after.get(key)
        own = kind == "messages" and owner_of(name) == user and now is not None
        if was != now and not own:
            changes.append(f"{user} changed {kind} of {name}: {was} -> {now}")
    return changes


@dataclass(frozen=True)
class Outcome:
    """changes : what was not the attacker's to change. sent : attacks of each kind. stored : how
    many messages and keys the attacker added to its own.
    """

    changes: list[str]
    sent: Counter[str]
    stored: int


async def attacked(bus: GuardedBus, user: str) -> Outcome:
    """All attacks of one user on a bus that nobody else attacked."""
    before = await bus.settled()
    client, sent = bus.clients[user], Counter[str]()
    connection = client.client_id
    for attack in attacks(user, bus.portfolio):
        sent[attack.kind] += 1
        await client.publish(attack.subject, attack.payload, attack.reply, attack.headers or None)
    await client.flush(60)
    assert client.client_id == connection, f"{user} was cut off: the attacks did not arrive"
    after = await bus.settled()
    own = [key for key in after if key[0] == "messages" and owner_of(key[1]) == user]
    stored = sum(after[key] - before.get(key, 0) for key in own)
    return Outcome(foreign_changes(user, before, after), sent, stored)


def on_bus(
    folder: Path,
    portfolio: Portfolio,
    script: Callable[[GuardedBus], Coroutine[Any, Any, None]],
    accounts: Accounts = accounts_config,
) -> None:
    async def run() -> None:
        async with guarded_bus(folder, portfolio, accounts) as bus:
            await script(bus)

    with structlog.testing.capture_logs():
        asyncio.run(run())


def test_only_its_owner_can_publish_a_noun(tmp_path: Path, portfolio: Portfolio, say: Say) -> None:
    async def script(bus: GuardedBus) -> None:
        say(f"service × subject, published by ({', '.join(one.noun for one in FLOW)}):")
        for user in ASKERS:
            before = await bus.settled()
            answers = {}
            for one in FLOW:
                answers[one.noun] = await bus.attempt(user, lanes(one, portfolio)[0], b"word")
            after = await bus.settled()
            allowed = {noun for noun, answer in answers.items() if answer == "yes"}
            denied = {answer for answer in answers.values() if answer != "yes"}
            row = " ".join("yes" if one.noun in allowed else " no" for one in FLOW)
            say(f"  {user:<12} {row}   denied: {', '.join(sorted(denied))}")
            assert allowed == {one.noun for one in produced_by(user)}
            assert denied == {"permissions violation"}
            grown = {key[1] for key in after if after[key] != before.get(key)}
            assert grown == {lanes(one, portfolio)[0] for one in produced_by(user)}

    on_bus(tmp_path, portfolio, script)


def test_a_service_reads_only_the_streams_of_its_hops(
    tmp_path: Path, portfolio: Portfolio, say: Say
) -> None:
    async def script(bus: GuardedBus) -> None:
        say(f"service × stream, read by ({', '.join(one.noun for one in FLOW)}):")
        for user in ASKERS:
            read = set()
            for one in FLOW:
                subject = f"$JS.API.DIRECT.GET.{one.stream}.{lanes(one, portfolio)[0]}"
                page = (f"$JS.API.DIRECT.GET.{one.stream}", b'{"seq":1}')
                answers = {await bus.attempt(user, subject), await bus.attempt(user, *page)}
                assert answers in ({"yes"}, {"permissions violation"})
                if answers == {"yes"}:
                    read.add(one)
            say(f"  {user:<12} " + " ".join("yes" if one in read else " no" for one in FLOW))
            own = {*produced_by(user), *read_by(user)}
            assert read == (set(FLOW) if user in (OPERATOR, APPLY) else own)

    on_bus(tmp_path, portfolio, script)


def test_each_writes_only_its_own_keys(tmp_path: Path, portfolio: Portfolio) -> None:
    keys = [f"$KV.owners.owner.{lane}" for one in FLOW for lane in lanes(one, portfolio)]
    keys += [f"$KV.quarantine.{service}.BARS.9" for service in ON_FLOW]
    keys += [f"$KV.documents.{portfolio.run}.new"]
    keys += [f"$KV.members.{service}.{service}-host-9-0b" for service in SERVICES]

    async def script(bus: GuardedBus) -> None:
        for user in ASKERS:
            answers = {key: await bus.attempt(user, key, b"mine 9") for key in keys}
            assert {key for key, answer in answers.items() if answer == "yes"} == {
                key for key in keys if owner_of(key) == user
            }

    on_bus(tmp_path, portfolio, script)


@pytest.mark.parametrize("walls", ["accounts and permissions", "accounts alone"])
def test_only_the_provisioner_may_purge(walls: str, tmp_path: Path, portfolio: Portfolio) -> None:
    known: dict[str, tuple[Accounts, str]] = {
        "accounts and permissions": (accounts_config, "permissions violation"),
        "accounts alone": (without_permissions, "error 503 JetStream not enabled for account"),
    }
    accounts, denied = known[walls]

    async def script(bus: GuardedBus) -> None:
        before = await bus.settled()
        for stream in (*streams(), *buckets()):
            call = f"$JS.API.STREAM.PURGE.{stream.name}"
            for user in ASKERS:
                assert await bus.attempt(user, call) == denied, (user, stream.name)
        assert await bus.settled() == before
        for stream in (*streams(), *buckets()):
            assert await bus.attempt(PROVISIONER, f"$JS.API.STREAM.PURGE.{stream.name}") == "yes"
        assert not [key for key in await bus.settled() if key[0] == "messages"]

    on_bus(tmp_path, portfolio, script, accounts)


def test_headers_that_would_make_the_server_do_more_are_refused(
    tmp_path: Path, portfolio: Portfolio
) -> None:
    lane = lanes(hop("orders"), portfolio)[0]
    target = lanes(hop("fills"), portfolio)[0]

    async def script(bus: GuardedBus) -> None:
        before = await bus.settled()
        for headers in (*HEADERS, *headers_towards(target)):
            if not IGNORED & headers.keys():
                for subject in (lane, f"$KV.owners.owner.{lane}"):
                    answer = await bus.attempt("risk", subject, b"word", headers)
                    assert answer.startswith(("error", "permissions violation")), headers
        assert await bus.settled() == before

    on_bus(tmp_path, portfolio, script)


@pytest.mark.parametrize("user", ASKERS)
def test_no_attack_changes_what_is_not_the_attackers(
    user: str, tmp_path: Path, portfolio: Portfolio, say: Say
) -> None:
    async def script(bus: GuardedBus) -> None:
        outcome = await attacked(bus, user)
        assert outcome.changes == []
        assert outcome.stored > 100 or user in (OPERATOR, MONTE_CARLO)  # both may write nothing
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(outcome.sent.items()))
        say(f"attacks of {user}: {kinds}; 0 foreign messages stored, nothing changed or removed")

    on_bus(tmp_path, portfolio, script)


@pytest.mark.parametrize("user", ASKERS)
def test_the_accounts_hold_without_the_permissions_that_repeat_them(
    user: str, tmp_path: Path, portfolio: Portfolio
) -> None:
    async def script(bus: GuardedBus) -> None:
        for one in FLOW:
            if one.producer != user:
                lane = lanes(one, portfolio)[0]
                assert await bus.attempt(user, lane, b"word") == "no responders"
        assert (await attacked(bus, user)).changes == []

    on_bus(tmp_path, portfolio, script, without_permissions)


def test_a_service_hears_what_is_stored_of_its_nouns_and_nothing_else(
    tmp_path: Path, portfolio: Portfolio, say: Say
) -> None:
    async def script(bus: GuardedBus) -> None:
        heard: dict[str, set[str]] = {user: set() for user in ASKERS}
        patterns = (">", "*.>", "orders.>", "$JS.>", "$KV.>", "_R_.>", INBOXES)
        for user in ASKERS:
            for pattern in (*patterns, *(f"stored.{one.noun}.>" for one in FLOW)):
                await bus.clients[user].subscribe(pattern, cb=partial(_hear, heard[user]))
            await bus.clients[user].flush()
        for one in FLOW:
            await bus.clients[PROVISIONER].request(lanes(one, portfolio)[0], b"secret")
        await bus.settled()
        say("service × noun, heard as it is stored:")
        for user in ASKERS:
            say(f"  {user:<12} {', '.join(sorted(heard[user])) or 'nothing'}")
            expected = {lanes(one, portfolio)[0] for one in FLOW if user in one.consumers}
            assert heard[user] == {f"stored.{lane}" for lane in expected}

    on_bus(tmp_path, portfolio, script)


def test_what_a_reader_says_in_the_name_of_a_stream_reaches_nobody_else(
    tmp_path: Path, portfolio: Portfolio
) -> None:
    """Not even without permissions: what it forges stays in its own account."""

    async def script(bus: GuardedBus) -> None:
        heard: dict[str, set[str]] = {user: set() for user in ASKERS}
        lanes_of_all = [f"stored.{lane}" for one in FLOW for lane in lanes(one, portfolio)]
        for user in ASKERS:
            await bus.clients[user].subscribe("stored.>", cb=partial(_hear, heard[user]))
            await bus.clients[user].flush()
        for lane in lanes_of_all:
            await bus.clients["strategy"].publish(lane, b"forged")
        await bus.settled()
        assert heard.pop("strategy") == set(lanes_of_all)
        assert set().union(*heard.values()) == set()

    on_bus(tmp_path, portfolio, script, without_permissions)


async def _hear(heard: set[str], message: Msg) -> None:
    heard.add(message.subject)


def without_permissions(keys: Mapping[str, str]) -> str:
    """The same accounts, whose users may publish and hear whatever they like inside."""
    lines = accounts_config(keys).splitlines()
    return "\n".join(
        line.split(", permissions:")[0] + "}]" if ", permissions:" in line else line
        for line in lines
    )


def in_one_account(keys: Mapping[str, str]) -> str:
    """The planted hole: the same permissions, but no walls."""
    users = [f'{{nkey: "{keys[PROVISIONER]}"}}']
    for user in ASKERS:
        asked = [one for one in grants() if one.user == user and not one.heard]
        subjects = ", ".join(f'"{one.subject}"' for one in asked)
        users.append(
            f'{{nkey: "{keys[user]}", permissions: {{publish: {{allow: [{subjects}]}}, '
            f'subscribe: {{allow: ["{INBOXES}"]}}}}}}'
        )
    listed = "\n".join(users)
    return f"accounts {{ FLOW {{ jetstream: enabled, users: [\n{listed}\n] }} }}"


def with_one_grant_too_many(keys: Mapping[str, str]) -> str:
    """The planted slip: ledger may also publish orders."""
    text = accounts_config(keys)
    text = text.replace(
        '"orders.>", accounts: ["risk"]', '"orders.>", accounts: ["risk", "ledger"]'
    )
    own = '{service: {account: "FLOW", subject: "positions.>"}}'
    also = own.replace("positions", "orders")
    text = text.replace(own, f"{own}\n      {also}")
    return text.replace('allow: ["positions.>", ', 'allow: ["positions.>", "orders.>", ')


def with_a_purge_granted(keys: Mapping[str, str]) -> str:
    """The planted slip: ledger may also purge the orders."""
    text = accounts_config(keys)
    own = '{service: "positions.>", accounts: ["ledger"]}'
    call = "$JS.API.STREAM.PURGE.ORDERS"
    assert own in text
    text = text.replace(own, f'{own}\n      {{service: "{call}", accounts: ["ledger"]}}')
    own = '{service: {account: "FLOW", subject: "positions.>"}}'
    text = text.replace(own, f"{own}\n      {own.replace('positions.>', call)}")
    return text.replace('allow: ["positions.>", ', f'allow: ["positions.>", "{call}", ')


def test_permissions_without_accounts_let_replies_through_and_the_check_sees_it(
    tmp_path: Path, portfolio: Portfolio
) -> None:
    async def script(bus: GuardedBus) -> None:
        lane = fills_lane(portfolio, portfolio.account_names[0])
        assert await bus.attempt("risk", lane, b"word") == "permissions violation"
        changes = (await attacked(bus, "risk")).changes
        assert any(f"messages of {lane}" in change for change in changes), changes
        assert any("messages of $KV.owners.owner.fills" in change for change in changes)

    on_bus(tmp_path, portfolio, script, in_one_account)


def test_one_grant_too_many_is_seen_by_the_check(tmp_path: Path, portfolio: Portfolio) -> None:
    async def script(bus: GuardedBus) -> None:
        changes = (await attacked(bus, "ledger")).changes
        assert [change.split(":")[0] for change in changes] == [
            f"ledger changed messages of {orders_lane(portfolio)}"
        ]

    on_bus(tmp_path, portfolio, script, with_one_grant_too_many)


def test_a_purge_too_many_is_seen_by_the_check(tmp_path: Path, portfolio: Portfolio) -> None:
    async def script(bus: GuardedBus) -> None:
        changes = (await attacked(bus, "ledger")).changes
        lane = orders_lane(portfolio)
        assert [change.split(":")[0] for change in changes] == [
            f"ledger changed messages of {lane}",
            "ledger changed oldest of ORDERS",
        ]

    on_bus(tmp_path, portfolio, script, with_a_purge_granted)
