"""Work that is told to end, and does not hear it the first time."""

import asyncio
from contextlib import suppress

from stratvector.runtime.process.work import cancel


def test_work_that_did_not_hear_that_it_ends_is_told_again() -> None:
    async def script() -> bool:
        async def deaf() -> None:
            with suppress(asyncio.CancelledError):  # as the bus's client does while it flushes
                await asyncio.sleep(3600)
            await asyncio.sleep(3600)

        task = asyncio.create_task(deaf())
        await asyncio.sleep(0)
        await cancel([task], 0.2)
        return task.cancelled()

    assert asyncio.run(script())


def test_work_that_never_ends_is_not_waited_for() -> None:
    async def script() -> bool:
        async def clinging() -> None:
            for _ in range(3):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(3600)

        task = asyncio.create_task(clinging())
        await asyncio.sleep(0)
        await cancel([task], 0.1)
        is_left = not task.done()
        task.cancel()
        await asyncio.wait([task])
        return is_left

    assert asyncio.run(script())
