"""http_pages: what processes say on their HTTP ports (/readyz, /metrics), asked all at once.

The ports close after each answer, so a session lives for one round of questions. No proxy of the
environment is asked: the processes are known by their addresses.
"""

import asyncio
import ssl
from collections.abc import Sequence
from typing import NamedTuple

import aiohttp


class Page(NamedTuple):
    """An answer. status : of HTTP; /readyz answers 503 while a process is not ready."""

    status: int
    body: bytes


async def pages(
    urls: Sequence[str],
    seconds_max: float,
    trusted: ssl.SSLContext | None = None,
    identities: Sequence[str] = (),
) -> list[Page | None]:
    """The page at each URL, None where no whole answer comes in time.

    trusted : for https. identities : by which name each process is known under TLS, whatever its
    address; empty is the host of its URL.
    """
    names = identities or [""] * len(urls)
    asked = [
        (url, name or None if url.startswith("https:") else None)
        for url, name in zip(urls, names, strict=True)
    ]
    limit = aiohttp.ClientTimeout(total=seconds_max)
    # Where aiodns is installed for somebody else, the default resolver leaves a thread behind.
    resolver = aiohttp.ThreadedResolver()
    connector = aiohttp.TCPConnector(force_close=True, limit=0, resolver=resolver)
    async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
        return list(await asyncio.gather(*(_page(session, *one, trusted or True) for one in asked)))


async def _page(
    session: aiohttp.ClientSession, url: str, name: str | None, trusted: ssl.SSLContext | bool
) -> Page | None:
    try:
        async with session.get(
            url, allow_redirects=False, ssl=trusted, server_hostname=name
        ) as answer:
            return Page(answer.status, await answer.read())
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
