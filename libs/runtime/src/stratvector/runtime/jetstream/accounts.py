"""accounts: who may do what on the bus, as text of nats-server's configuration; pure.

    FLOW          owns all streams; its one user, the provisioner, makes them
    <service>     one account per service, which imports what the flow gives it and nothing else
    monte_carlo   its runs and their shards, among its own processes; nothing of the flow
    operator      reads all logs, writes none; for the command line
    apply         reads all logs and writes documents: what is wanted of each portfolio; releases
                  what a restore holds
    SYS           the server's own; it has no user

Nothing here depends on a portfolio, so adding one changes no file of the server. A reader's account
imports what the streams of its nouns publish again, and asks for what it missed; the server keeps
no place for it that another could move.

Permissions inside one account would not be enough: a user of it can have the server's answers
delivered into any subject of the account, by naming that subject as the reply. Between accounts an
answer only ever goes back to the account that asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stratvector.runtime.confirmations import CONFIRMING
from stratvector.runtime.documents import DOCUMENTS
from stratvector.runtime.holds import HOLDS
from stratvector.runtime.jetstream.server_config import quoted
from stratvector.runtime.jetstream.topology import MEMBERS, OWNERS, QUARANTINE, buckets, streams
from stratvector.runtime.snapshots import SNAPSHOTS
from stratvector.trading.flow import COMPANIONS, SERVICES, produced_by, read_by, stored_subject

PROVISIONER = "provisioner"
OPERATOR = "operator"
APPLY = "apply"
MONTE_CARLO = "monte_carlo"
SHARDS = "montecarlo.>"
ON_FLOW = (*SERVICES, *(one for one in COMPANIONS if read_by(one)))
USERS = (PROVISIONER, *ON_FLOW, MONTE_CARLO, OPERATOR, APPLY)
READS_DOCUMENTS = "risk"  # and what is said of the chapters that it makes of them
SENDS_ORDERS = "execution"
INBOXES = "_INBOX.>"


@dataclass(frozen=True)
class Grant:
    """A subject on which a user may ask FLOW, or `heard`: on which it hears what FLOW says.

    streamed : several answers may come.
    """

    user: str
    subject: str
    streamed: bool = False
    heard: bool = False


def grants() -> tuple[Grant, ...]:
    """Everything that services and people may do; whatever is not here is denied."""
    of_services = (one for service in ON_FLOW for one in _of_service(service))
    wishes = (Grant(APPLY, f"$KV.{bucket}.>") for bucket in (DOCUMENTS, HOLDS))
    return (*of_services, *_of_reader(OPERATOR), *_of_reader(APPLY), *wishes)


def accounts_config(
    public_keys: Mapping[str, str], former_keys: Mapping[str, str] | None = None
) -> str:
    """The part of the configuration that names accounts, users, exports and imports.

    public_keys : the nkey of each of `USERS`. former_keys : those that are accepted beside them
    while keys are replaced. Raises KeyError when one is missing.
    """
    granted, former = grants(), former_keys or {}
    keys = {user: _different(public_keys[user], former.get(user)) for user in USERS}
    accounts = [_flow_account(granted, *keys[PROVISIONER])]
    for user in (*ON_FLOW, OPERATOR, APPLY):
        own = [one for one in granted if one.user == user]
        accounts.append(_user_account(user, own, *keys[user]))
    accounts.append(_shards_account(*keys[MONTE_CARLO]))
    return _whole(accounts)


def _different(key: str, former: str | None) -> tuple[str, ...]:
    """The server refuses a key that is named twice."""
    return (key,) if former in (None, key) else (key, former)


def reading_config(provisioner_key: str, operator_key: str) -> str:
    """The same for a server that is started on a store only to have its log read."""
    granted = tuple(_of_reader(OPERATOR))
    accounts = [
        _flow_account(granted, provisioner_key),
        _user_account(OPERATOR, granted, operator_key),
    ]
    return _whole(accounts)


def _of_service(service: str) -> Iterator[Grant]:
    produced = produced_by(service)
    for one in produced:
        yield Grant(service, f"{one.noun}.>")
        yield from _bucket(service, OWNERS, f"owner.{one.noun}")
    for one in (*produced, *read_by(service)):
        yield from _log(service, one.stream, f"{one.noun}.>")
    for one in read_by(service):
        if service in one.consumers:
            yield Grant(service, stored_subject(f"{one.noun}.>"), heard=True)
    yield from _bucket(service, QUARANTINE, service)
    if service in CONFIRMING:
        yield from _bucket(service, OWNERS, f"confirmed.{service}")
    if service in COMPANIONS:
        yield from _bucket(service, SNAPSHOTS, service)
    if produced:
        # It says of itself what it likes, and sees who else is there.
        yield from _bucket(service, MEMBERS, service)
        yield Grant(service, f"$JS.API.DIRECT.GET.KV_{MEMBERS}", streamed=True)
    yield from _of_judge(service)


def _of_judge(service: str) -> Iterator[Grant]:
    """What is wanted, what is said of it, and what is held."""
    if service == SENDS_ORDERS:
        yield Grant(service, f"$JS.API.DIRECT.GET.KV_{HOLDS}.$KV.{HOLDS}.>")
    if service == READS_DOCUMENTS:
        yield from _log(service, f"KV_{DOCUMENTS}", f"$KV.{DOCUMENTS}.>")
        for other in CONFIRMING:
            said = f"$KV.{OWNERS}.confirmed.{other}.>"
            yield Grant(service, f"$JS.API.DIRECT.GET.KV_{OWNERS}.{said}")


def _of_reader(user: str) -> Iterator[Grant]:
    for stream in (*streams(), *buckets()):
        yield from _log(user, stream.name, stream.subjects)


def _log(user: str, stream: str, subjects: str) -> Iterator[Grant]:
    """Reading a whole stream: page by page, and the last message of a subject."""
    yield Grant(user, f"$JS.API.DIRECT.GET.{stream}", streamed=True)
    yield Grant(user, f"$JS.API.DIRECT.GET.{stream}.{subjects}")


def _bucket(user: str, bucket: str, prefix: str) -> Iterator[Grant]:
    """Writing and reading the keys of a bucket below a prefix."""
    keys = f"$KV.{bucket}.{prefix}.>"
    yield Grant(user, keys)
    yield Grant(user, f"$JS.API.DIRECT.GET.KV_{bucket}.{keys}")


def _flow_account(granted: tuple[Grant, ...], *public_keys: str) -> str:
    allowed: dict[Grant, list[str]] = {}
    for one in granted:
        allowed.setdefault(replace(one, user=""), []).append(one.user)
    exports = []
    for one, users in allowed.items():
        response = ', response_type: "Stream"' if one.streamed else ""
        names = ", ".join(quoted(user) for user in users)
        exports.append(f"{{{_kind(one)}: {quoted(one.subject)}{response}, accounts: [{names}]}}")
    return _account(
        "FLOW",
        "jetstream: enabled",
        _users(public_keys),
        _listed("exports", exports),
    )


def _user_account(user: str, granted: Sequence[Grant], *public_keys: str) -> str:
    """The permissions repeat the imports: an attempt at anything else is refused and logged."""
    imports = [
        f'{{{_kind(one)}: {{account: "FLOW", subject: {quoted(one.subject)}}}}}' for one in granted
    ]
    asked = ", ".join(quoted(one.subject) for one in granted if not one.heard)
    heard = ", ".join(quoted(one) for one in (INBOXES, *(g.subject for g in granted if g.heard)))
    permissions = f"publish: {{allow: [{asked}]}}, subscribe: {{allow: [{heard}]}}"
    return _account(
        user,
        _users(public_keys, permissions),
        _listed("imports", imports),
    )


def _kind(grant: Grant) -> str:
    """A stream flows to who imports it, a service answers who asks; in the server's words."""
    return "stream" if grant.heard else "service"


def _shards_account(*public_keys: str) -> str:
    """Whoever runs a scenario announces it, and all processes ask it for its shards."""
    inside = f"[{quoted(SHARDS)}, {quoted(INBOXES)}]"
    permissions = f"publish: {{allow: {inside}}}, subscribe: {{allow: {inside}}}"
    return _account(MONTE_CARLO, _users(public_keys, permissions))


def _users(public_keys: Sequence[str], permissions: str = "") -> str:
    """Of one account; each key may do the same."""
    allowed = f", permissions: {{{permissions}}}" if permissions else ""
    return f"users: [{', '.join(f'{{nkey: {quoted(key)}{allowed}}}' for key in public_keys)}]"


def _whole(accounts: list[str]) -> str:
    return "\n".join(["accounts {", *accounts, "  SYS {}", "}", "system_account: SYS", ""])


def _account(name: str, *parts: str) -> str:
    return "\n".join([f"  {quoted(name)} {{", *(f"    {part}" for part in parts), "  }"])


def _listed(name: str, items: list[str]) -> str:
    return "\n".join([f"{name}: [", *(f"      {item}" for item in items), "    ]"])
