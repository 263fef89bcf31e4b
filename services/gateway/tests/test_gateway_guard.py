"""What another web site could make a browser ask is refused; programs and the console may ask."""

import pytest

from stratvector.services.gateway.guard import refusal

OWN = "127.0.0.1:8000"


@pytest.mark.parametrize(
    "host", [OWN, "localhost:8000", "localhost", "[::1]:8000", "127.0.0.2:1", "[::1]", "LocalHost"]
)
def test_this_machines_names_are_welcome(host: str) -> None:
    assert refusal("GET", "/", {"host": host}) == ""
    assert refusal("POST", "/", {"host": host, "origin": f"http://{host}"}) == ""


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.com",
        "evil.com:8000",
        "localhost.evil.com",
        "10.0.0.1:8000",
        "[::2]:8000",
        "127.0.0.1:8000@evil.com",
        "127.0.0.1:evil",
    ],
)
def test_a_name_that_is_not_this_machines_is_refused_even_for_reading(host: str) -> None:
    assert refusal("GET", "/", {"host": host}) == (
        f"Host {host!r} is not this machine; ask 127.0.0.1 or localhost"
    )


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.com",
        "null",
        "http://127.0.0.1:3000",
        "http://localhost:8000",
        "https://127.0.0.1:8000",
        "http://127.0.0.1:8000.evil.com",
    ],
)
def test_another_origin_changes_and_reads_nothing(origin: str) -> None:
    headers = {"host": OWN, "origin": origin}
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"):
        assert refusal(method, "/", headers) == f"origin {origin!r} is not this console's"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_says_it_comes_from_elsewhere_changes_nothing(site: str) -> None:
    headers = {"host": OWN, "sec-fetch-site": site}
    assert refusal("POST", "/", headers) == (
        f"a request from another site ({site}) changes nothing here"
    )
    assert refusal("GET", "/", headers) == ""


def test_the_consoles_sockets_are_closed_to_other_sites_whatever_the_method() -> None:
    headers = {"host": OWN, "sec-fetch-site": "cross-site"}
    assert refusal("GET", "/_nicegui_ws/socket.io/", headers).startswith("a request from another")
    assert refusal("GET", "/_nicegui_ws/socket.io/", {"host": OWN}) == ""


def test_the_address_that_a_request_came_in_at_is_welcome_and_no_other_one() -> None:
    for own, host in (("10.0.0.1", "10.0.0.1:8000"), ("fd00::1", "[fd00::1]:8000")):
        assert refusal("GET", "/", {"host": host}, own) == ""
        assert refusal("GET", "/", {"host": host}, "10.0.0.2").startswith("Host ")
        assert refusal("GET", "/", {"host": "evil.com"}, own).startswith("Host ")


def test_a_program_without_origin_may_ask() -> None:
    assert refusal("POST", "/", {"host": OWN}) == ""
    assert refusal("POST", "/", {"host": OWN, "sec-fetch-site": "same-origin"}) == ""
