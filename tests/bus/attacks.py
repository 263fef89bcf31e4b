"""What a service that was taken over could try on the bus: requests with the replies and headers
that would reach beyond its account.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from stratvector.runtime.confirmations import CONFIRMING
from stratvector.runtime.jetstream.accounts import MONTE_CARLO, ON_FLOW, Grant, grants
from stratvector.runtime.jetstream.topology import buckets, streams
from stratvector.trading.flow import (
    COMPANIONS,
    FLOW,
    HOUSE,
    SERVICES,
    hop,
    produced_by,
    stored_subject,
)
from stratvector.trading.portfolio import Portfolio
from tests.bus.lanes import lanes

DELIVERY = "1.1.1.1700000000000000000.0"
CRAFTED = (b"", b'{"seq":1}', b"+ACK", b'{"batch":5,"no_wait":true}')
# Every call of the server's interface that makes, changes, moves or removes something.
STREAM_CALLS = (
    "STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.DELETE",
    "STREAM.RESTORE", "STREAM.LEADER.STEPDOWN", "STREAM.PEER.REMOVE", "STREAM.PEER.EVACUATE",
    "STREAM.SNAPSHOT", "STREAM.MSG.GET", "STREAM.INFO",
)  # fmt: skip
DURABLE_CALLS = (
    "CONSUMER.DELETE", "CONSUMER.DURABLE.CREATE", "CONSUMER.CREATE", "CONSUMER.PAUSE",
    "CONSUMER.RESET", "CONSUMER.UNPIN", "CONSUMER.LEADER.STEPDOWN", "CONSUMER.PEER.REMOVE",
    "CONSUMER.PEER.EVACUATE", "CONSUMER.INFO",
)  # fmt: skip
SERVER_CALLS = (
    "$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.CREATE.MINE",
    "$JS.API.ACCOUNT.PURGE.FLOW", "$JS.API.ACCOUNT.STREAM.CANCEL",
    "$JS.API.META.LEADER.STEPDOWN", "$JS.API.META.RESCUE", "$JS.API.SERVER.REMOVE",
    "$JS.API.SERVER.EVACUATE", "$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.CONNZ",
    "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.ACCOUNT.PING.STATZ", "$SYS.REQ.ACCOUNT.FLOW.INFO",
    "$SYS.REQ.USER.INFO", "$SYS.REQ.CLAIMS.LIST", "$SYS.REQ.CLAIMS.UPDATE",
    "$SYS.REQ.SERVER.PING.KICK", "$SYS.REQ.SERVER.PING.RELOAD",
)  # fmt: skip
WATCHERS = tuple(one for one in ON_FLOW if one in COMPANIONS)


@dataclass(frozen=True)
class Attack:
    """One message that a user sends. kind : the row of the report."""

    kind: str
    subject: str
    payload: bytes = b""
    reply: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def owner_of(subject: str) -> str | None:
    """The service that may write a subject."""
    tokens = subject.split(".")
    if tokens[0] == "stored":
        return None
    if tokens[0] == "montecarlo":
        return MONTE_CARLO
    if subject.startswith(("$KV.quarantine.", "$KV.snapshots.", "$KV.members.")):
        return tokens[2]
    if subject.startswith(("$KV.documents.", "$KV.holds.")):
        return "apply"
    if subject.startswith("$KV.owners.confirmed."):
        return tokens[3]
    noun = tokens[3] if subject.startswith("$KV.owners.owner.") else tokens[0]
    return next((one.producer for one in FLOW if one.noun == noun), None)


def attacks(user: str, portfolio: Portfolio) -> Iterator[Attack]:
    """Everything that one user tries, beginning with what it needs for the rest."""
    yield from crafted(user, portfolio)
    writes, calls, places = foreign(user, portfolio)
    yield from (Attack("publish", subject, b"foreign") for subject in writes)
    for call in calls:
        for payload in (b"", b'{"seq":1}', _stream_settings(call)):
            yield Attack("interface", call, payload)
    for place in places:
        yield Attack("durables", f"$JS.API.CONSUMER.MSG.NEXT.{place}", b"5")
        for word in (b"+ACK", b"+TERM", b"-NAK", b"+NXT"):
            yield Attack("durables", f"$JS.ACK.{place}.{DELIVERY}", word)
    targets = [*writes, *calls, *(f"$JS.ACK.{place}.{DELIVERY}" for place in places)]
    targets += [f"$JS.API.CONSUMER.MSG.NEXT.{place}" for place in places]
    yield from replies(user, portfolio, targets)
    yield from with_headers(user, portfolio, writes)


def crafted(user: str, portfolio: Portfolio) -> Iterator[Attack]:
    """Own messages whose content would do harm where it is delivered; they may be stored."""
    for one in produced_by(user):
        for payload in CRAFTED:
            yield Attack("own", lanes(one, portfolio)[0], payload)


def foreign(user: str, portfolio: Portfolio) -> tuple[list[str], list[str], list[str]]:
    """Subjects that others write, calls of the server's interface, and readers' places: there are
    none, but somebody may try to make one and to move it.
    """
    kept = [lane for one in FLOW for lane in lanes(one, portfolio)]
    keys = [f"$KV.owners.owner.{lane}" for lane in kept]
    marks = [f"$KV.quarantine.{service}.BARS.7" for service in ON_FLOW]
    key = f"{portfolio.run}.{portfolio.name}"
    marks += [f"$KV.owners.confirmed.{one}.{key}" for one in CONFIRMING]
    wishes = [f"$KV.documents.{key}", f"$KV.holds.{key}", "$KV.holds.everything"]
    wishes += [f"$KV.snapshots.{one}.{key}" for one in WATCHERS]
    members = [f"$KV.members.{service}.{service}-host-7-0a" for service in SERVICES]
    others = ["bars.new.1D", "$KV.owners.owner", "$KV.owners.new", "$KV.quarantine.new.BARS.1"]
    others += ["montecarlo.runs", "montecarlo.shards.PROCESS.1", "montecarlo.shards.PROCESS.1.0"]
    said = [stored_subject(lane) for lane in kept]
    writes = [
        one
        for one in (*kept, *keys, *marks, *wishes, *members, *said, *others)
        if owner_of(one) != user
    ]
    readers = [
        (one.stream, service, lane)
        for one in FLOW
        for service in HOUSE
        for lane in lanes(one, portfolio)[:1]
        if service in one.readers
    ]
    places = [f"{stream}.{service}" for stream, service, _ in readers]
    names = [stream.name for stream in (*streams(), *buckets())]
    calls = [f"$JS.API.{call}.{name}" for call in STREAM_CALLS for name in names]
    calls += [f"$JS.API.{call}.{place}" for call in DURABLE_CALLS for place in places[::3]]
    calls += [f"$JS.API.CONSUMER.CREATE.{stream}.mine.{lane}" for stream, _, lane in readers[::3]]
    return writes, [*calls, *SERVER_CALLS], places


def replies(user: str, portfolio: Portfolio, targets: list[str]) -> Iterator[Attack]:
    """Every allowed request, its answers asked for where the user may not write."""
    for one in grants():
        if one.user == user and not one.heard:
            for subject, payload in requests(one, portfolio):
                for target in targets:
                    yield Attack("reply", subject, payload, target)
    for call in SERVER_CALLS:
        for target in targets[:20]:
            yield Attack("reply", call, b"", target)


def requests(grant: Grant, portfolio: Portfolio) -> Iterator[tuple[str, bytes]]:
    """Ways to use a grant that make the server answer."""
    subject = concrete(grant.subject, portfolio)
    if grant.streamed:
        noun = next((s.subjects for s in (*streams(), *buckets()) if subject.endswith(s.name)), ">")
        yield subject, json.dumps({"seq": 1, "next_by_subj": noun, "batch": 8}).encode()
        yield subject, b'{"seq":1}'
        yield subject, b"{malformed"
    else:
        yield subject, b"own"
        yield subject, b""


def concrete(pattern: str, portfolio: Portfolio) -> str:
    """A subject that a pattern with `>` admits."""
    if not pattern.endswith(".>"):
        return pattern
    stem = pattern.removesuffix(".>")
    if "$KV.quarantine" in stem:
        return f"{stem}.BARS.7" if not stem.endswith("quarantine") else f"{stem}.risk.BARS.7"
    if "$KV.snapshots" in stem:
        service = ".drift" if stem.endswith("snapshots") else ""
        return f"{stem}{service}.{portfolio.run}.{portfolio.name}"
    if "$KV.members" in stem:
        service = "risk." if stem.endswith("members") else ""
        return f"{stem}.{service}risk-host-7-0a"
    if stem.endswith(("$KV.documents", "$KV.holds")) or "$KV.owners.confirmed" in stem:
        return f"{stem}.{portfolio.run}.{portfolio.name}"
    if stem.endswith("$KV.owners"):
        return f"{stem}.owner.{lanes(FLOW[0], portfolio)[0]}"
    noun = stem.rsplit(".", 1)[-1]
    return stem.removesuffix(noun) + lanes(hop(noun), portfolio)[0]


def with_headers(user: str, portfolio: Portfolio, targets: list[str]) -> Iterator[Attack]:
    """Every allowed request with the headers that make a server do more than asked."""
    for one in grants():
        if one.user == user and not one.heard:
            subject, payload = next(requests(one, portfolio))
            for headers in HEADERS:
                yield Attack("header", subject, payload, "", headers)
            for target in targets:
                for headers in headers_towards(target):
                    yield Attack("header", subject, payload, "", headers)


HEADERS: tuple[dict[str, str], ...] = (
    {"Nats-Rollup": "all"},
    {"Nats-Rollup": "sub"},
    {"KV-Operation": "PURGE", "Nats-Rollup": "sub"},
    {"Nats-TTL": "1s"},
    {"Nats-Incr": "+1"},
    {"Nats-Marker-Reason": "Purge"},
    {"Nats-Batch-Id": "mine", "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1"},
    {"Nats-Request-Info": '{"acc":"FLOW","svc":"$JS.API"}'},
    {"Nats-Expected-Stream": "POSITIONS"},
    {"Nats-Stream-Source": "ORDERS 1 > > orders.main.paper"},
)


# What the server stores like any other header and does nothing about.
IGNORED = {"Nats-Marker-Reason", "Nats-Request-Info", "Nats-Subject"}


def headers_towards(target: str) -> Iterator[dict[str, str]]:
    """Headers that name a subject at which something is to arrive."""
    yield {"Nats-Trace-Dest": target}
    yield {"Nats-Trace-Dest": target, "Nats-Trace-Only": "true"}
    yield {"Nats-Subject": target}
    for when in ("@at 2020-01-01T00:00:00Z", "@every 1s"):
        yield {"Nats-Schedule": when, "Nats-Schedule-Target": target, "Nats-Schedule-TTL": "1m"}


def _stream_settings(call: str) -> bytes:
    """A stream that would hold the noun without protection."""
    name = call.rsplit(".", 1)[-1]
    wanted = {"name": name, "subjects": [f"{name.lower()}.>"], "storage": "file", "max_msgs": 1}
    return json.dumps(wanted).encode()
