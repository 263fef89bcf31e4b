"""target: whether a platform is empty, so that a backup may become it."""

import asyncio
from typing import TYPE_CHECKING

from stratvector.cli.failures import CommandFailed

if TYPE_CHECKING:
    from stratvector.runtime.jetstream.connection import BusClient

BEAT_SECONDS = 4.0  # a service says more often that it is there


async def refuse_full(client: "BusClient", digest: str) -> None:
    """Nothing runs there, and no stream has ever held anything but what this backup's restore,
    interrupted, has put there. Raises CommandFailed.
    """
    await _refuse_services(client)
    if await _is_own(client, digest):
        return
    from stratvector.runtime.jetstream.stream_copies import stream_state

    for stream in _streams():
        state = await stream_state(client, stream)
        if state is not None and state["last_seq"]:
            raise CommandFailed(
                f"the bus is not empty: stream {stream} holds {state['messages']:,} messages; "
                "restore to a nats-server with a new store, nothing was changed"
            )


async def clear_own(client: "BusClient") -> None:
    """Remove the streams that a restore makes: they are empty, or an interrupted restore's. Raises
    ProvisioningError.
    """
    from stratvector.runtime.jetstream.stream_copies import remove_stream

    for stream in _streams():
        await remove_stream(client, stream)


def _streams() -> tuple[str, ...]:
    from stratvector.runtime.jetstream.topology import buckets, streams

    return tuple(one.name for one in (*streams(), *buckets()) if not one.is_spare)


async def _refuse_services(client: "BusClient") -> None:
    from stratvector.runtime.jetstream.stream_copies import stream_state
    from stratvector.runtime.jetstream.topology import MEMBERS

    before = await stream_state(client, f"KV_{MEMBERS}")
    if before is None or not before["last_seq"]:
        return
    await asyncio.sleep(BEAT_SECONDS)
    after = await stream_state(client, f"KV_{MEMBERS}")
    if after is not None and after["last_seq"] != before["last_seq"]:
        raise CommandFailed(
            "services run on that bus: stop all of them, and restore before they start again"
        )


async def _is_own(client: "BusClient", digest: str) -> bool:
    """Whether a restore of this backup was interrupted there. Raises CommandFailed for another."""
    from stratvector.runtime.holds import EVERYTHING, HOLDS, Holds
    from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
    from stratvector.runtime.jetstream.stream_copies import stream_state

    if await stream_state(client, f"KV_{HOLDS}") is None:
        return False
    holds = await Holds(JetStreamKeyValue(client, HOLDS)).all()
    everything = holds.get(EVERYTHING)
    if everything is None or not everything.stands:
        return False
    if everything.backup != digest:
        raise CommandFailed(
            "a restore of another backup was interrupted on that bus: run that one again, or give "
            "the nats-server a new store"
        )
    return True
