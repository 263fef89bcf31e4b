"""With `auth: token` nobody comes in without the token: programs send it, browsers log in once."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from stratvector.services.gateway.app import gateway_app
from stratvector.services.gateway.entrance import BadTokenFile, TokenFile, is_session, session
from stratvector.services.gateway.guard import Names
from stratvector.services.gateway.login import local

InHouse = Callable[..., None]
TOKEN, OTHER = "k9" * 20, "x7" * 20
BEARER = {"Authorization": f"Bearer {TOKEN}"}
NAMES = Names(("desk.example.org",), ("http", "https"))
PATHS = ("/api/portfolio", "/api/openapi.json", "/api/docs", "/api/nothing", "/nowhere", "/")


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.token"
    file.write_text(TOKEN + "\n")
    return file


@pytest.fixture
def guarded(in_house: InHouse, token_file: Path) -> InHouse:
    """A house that is entered with a token."""
    return partial(in_house, app=partial(gateway_app, names=NAMES, token=TokenFile(token_file)))


async def log_in(house: Any, token: str = TOKEN, wanted: str = "/", **headers: str) -> Any:
    return await house.client.post("/login", data={"token": token, "next": wanted}, headers=headers)


def test_a_program_comes_in_with_the_token_and_is_told_what_is_missing_without(
    guarded: InHouse,
) -> None:
    async def ask(house: Any) -> None:
        for path in PATHS:
            for method in ("GET", "HEAD", "POST", "DELETE"):
                answer = await house.client.request(method, path)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == 'Bearer realm="stratvector"'
                assert answer.headers["content-type"] == "application/problem+json"
        refused = (await house.client.get("/api/portfolio")).json()
        assert refused["detail"] == (
            "this needs the gateway's token, sent as Authorization: Bearer TOKEN"
        )
        for value in (TOKEN, f"Bearer {OTHER}", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}"):
            answer = await house.client.get("/api/portfolio", headers={"Authorization": value})
            assert answer.status_code == 401
        assert (await house.client.get("/api/portfolio", headers=BEARER)).status_code == 200
        assert (await house.client.get("/api/nothing", headers=BEARER)).status_code == 404

    guarded(ask)


def test_the_document_declares_the_token_for_every_question(guarded: InHouse) -> None:
    async def ask(house: Any) -> None:
        document = (await house.client.get("/api/openapi.json", headers=BEARER)).json()
        schemes = document["components"]["securitySchemes"]
        assert schemes == {"token": {"type": "http", "scheme": "bearer"}}
        assert document["security"] == [{"token": []}]
        for methods in document["paths"].values():
            assert all("401" in operation["responses"] for operation in methods.values())

    guarded(ask)


def test_a_browser_is_led_to_the_login_and_back(guarded: InHouse) -> None:
    async def ask(house: Any) -> None:
        wanted = "/api/portfolio?portfolio=generated"
        led = await house.client.get(wanted, headers={"Accept": "text/html"})
        assert led.status_code == 303
        page = await house.client.get(led.headers["location"])
        assert page.status_code == 200
        assert f'name="next" value="{wanted}"' in page.text
        assert page.headers["cache-control"] == "no-store"
        wrong = await log_in(house, OTHER, wanted)
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (403, False)
        assert "That is not this gateway&#x27;s token." in wrong.text
        right = await log_in(house, wanted=wanted)
        assert (right.status_code, right.headers["location"]) == (303, wanted)
        cookie = right.headers["set-cookie"]
        assert cookie.endswith("; Max-Age=43200; Path=/; HttpOnly; SameSite=Lax")
        assert TOKEN not in cookie
        assert (await house.client.get(wanted)).status_code == 200  # the client keeps the cookie
        out = await house.client.post("/logout")
        assert (out.status_code, out.headers["location"]) == (303, "/login")
        assert (await house.client.get(wanted)).status_code == 401
        counted = {
            sample.labels["outcome"]: sample.value
            for metric in house.gateway.metrics.logins.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }
        assert counted == {"wrong": 1.0, "right": 1.0}

    guarded(ask)


def test_a_cookie_that_came_by_tls_is_sent_by_tls_only(guarded: InHouse) -> None:
    async def ask(house: Any) -> None:
        host = "desk.example.org"
        by_tls = await log_in(house, Host=host, Origin=f"https://{host}")
        assert by_tls.headers["set-cookie"].endswith("; SameSite=Lax; Secure")
        foreign = await log_in(house, Host=host, Origin="https://evil.example.org")
        assert foreign.status_code == 403
        assert "set-cookie" not in foreign.headers
        unknown = await log_in(house, Host="other.example.org")
        assert unknown.status_code == 403

    guarded(ask)


def test_websockets_need_the_token_or_the_cookie(guarded: InHouse) -> None:
    async def ask(house: Any) -> None:
        url = house.url.replace("http", "ws") + "/ws"
        with pytest.raises(InvalidStatus):
            await connect(url, proxy=None)
        cookie = (await log_in(house)).headers["set-cookie"].partition(";")[0]
        for headers in (BEARER, {"Cookie": cookie}):
            async with connect(url, proxy=None, additional_headers=headers) as client:
                assert await client.recv()

    guarded(ask)


def test_another_token_ends_every_session_and_a_lost_one_closes_the_door(
    guarded: InHouse, token_file: Path
) -> None:
    async def ask(house: Any) -> None:
        async def status(**headers: str) -> int:
            answer = await house.client.get("/api/portfolio", headers=headers)
            return int(answer.status_code)

        await log_in(house)
        assert await status() == 200
        renewed = token_file.with_name("renewed")
        renewed.write_text(OTHER)
        renewed.replace(token_file)
        assert await status() == 401
        assert await status(**BEARER) == 401
        assert await status(Authorization=f"Bearer {OTHER}") == 200
        token_file.unlink()
        assert await status(Authorization=f"Bearer {OTHER}") == 401
        token_file.write_text("")
        assert await status(Authorization="Bearer none") == 401
        token_file.write_text(TOKEN)
        await asyncio.sleep(0)
        assert await status(**BEARER) == 200

    guarded(ask)


def test_the_login_answers_its_methods_and_its_kind_of_body_alone(guarded: InHouse) -> None:
    async def ask(house: Any) -> None:
        for path, allowed in (("/login", "GET, POST"), ("/logout", "POST")):
            refused = await house.client.put(path)
            assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
        as_json = await house.client.post("/login", json={"token": TOKEN})
        assert as_json.status_code == 415
        for body in (b"", b"token", b"token=%ff%00", b"next=/&next=//evil.example.org"):
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await house.client.post("/login", content=body, headers=headers)
            assert answer.status_code == 403

    guarded(ask)


@given(until=st.integers(0, 10**12 - 1), now=st.floats(0, 1e12), change=st.integers(0, 200))
def test_a_session_is_what_its_token_made_until_it_ends(
    until: int, now: float, change: int
) -> None:
    token, cookie = TOKEN.encode(), session(TOKEN.encode(), until)
    assert is_session(cookie, token, now) == (now < until)
    assert not is_session(cookie, OTHER.encode(), 0.0)
    place = change % len(cookie)
    changed = cookie[:place] + ("0" if cookie[place] != "0" else "1") + cookie[place + 1 :]
    assert not is_session(changed, token, 0.0)


@given(st.text())
def test_any_other_cookie_is_none(cookie: str) -> None:
    assert not is_session(cookie, TOKEN.encode(), 0.0)


@pytest.mark.parametrize(
    "path",
    ["//evil.example.org", "https://evil.example.org", "/\\evil", "\\\\evil", "evil", "", "/\t/e"],
)
def test_no_login_leads_to_another_site(path: str) -> None:
    assert local(path) == "/"


def test_a_file_without_a_token_is_refused_and_never_shown(tmp_path: Path) -> None:
    for content in ("", "short", "two words " * 10, "é" * 40):
        (tmp_path / "token").write_text(content)
        with pytest.raises(BadTokenFile) as refused:
            TokenFile(tmp_path / "token")
        assert str(refused.value) == (
            f"token_file: {tmp_path / 'token'} must hold one word of at least 32 ASCII characters"
        )
    with pytest.raises(BadTokenFile, match="can't be read: No such file or directory"):
        TokenFile(tmp_path / "none")
