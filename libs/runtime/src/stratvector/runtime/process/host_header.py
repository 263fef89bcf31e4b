"""host_header: whether a request's Host header names this machine.

A page of any site may give itself a name that points here (DNS rebinding), and a browser on this
machine would then let it read the answer. Such a page can choose its name, but not make it an
address: so a Host that is a loopback name or literal, the very address that the connection came in
on, or a name that the settings allow is ours, and nothing else is.

Source: https://fetch.spec.whatwg.org, and CVE-2018-5702 for what happens without.
"""

import ipaddress
import re
from collections.abc import Collection

HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


def foreign_host(host: str, own_address: str, allowed: Collection[str] = ()) -> str:
    """Why a Host header is not this machine's; empty when it is.

    own_address : the literal of this machine's end of the connection. allowed : further names.
    """
    name = host_name(host)
    if is_loopback(name) or name in {one.lower() for one in allowed}:
        return ""
    if name and _address(name) == _address(own_address) is not None:
        return ""
    return f"Host {host!r} is not this machine; ask 127.0.0.1 or localhost"


def host_name(host: str) -> str:
    """The lower-case name of name:port, [::1]:port, or a name alone; brackets stay. Empty for what
    is none of these.
    """
    match = HOST.fullmatch(host)
    return match["name"].lower() if match else ""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address: `localhost`, 127.0.0.0/8 or ::1."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(literal: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of a literal; None for a name. An IPv4 one may be spelled as IPv6."""
    try:
        address = ipaddress.ip_address(literal.strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
