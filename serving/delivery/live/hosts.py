"""Where a name leads: addresses that may be connected to.

A name that leads to a private address would let whoever owns the name reach what is behind our
walls, so it is looked up once, judged, and connected to as it was judged.
"""

import ipaddress
import socket
from dataclasses import dataclass

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are of IPv4


@dataclass(frozen=True)
class Led:
    """A name leads there.

    Attributes:
        address: As it was judged, to be connected to.
    """

    address: str


@dataclass(frozen=True)
class NotLed:
    """A name leads nowhere that may be connected to."""

    reason: str


def resolve_host(host: str, *, port: int, allow_private: bool) -> Led | NotLed:
    """An address of a name, where all of its addresses may be connected to."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return NotLed(f"{host}: the name is not known")
    addresses = [str(info[4][0]).partition("%")[0] for info in found]
    private = [one for one in addresses if not is_public(one)]
    if private and not allow_private:
        return NotLed(f"{host}: leads to a private address, which the settings do not allow")
    # IPv4 first: many names lead to IPv6 addresses, too, that a house has no route to.
    return Led(min(addresses, key=lambda one: ":" in one))


def is_public(address: str) -> bool:
    """Whether anybody in the world means the same host by an address.

    >>> [is_public(a) for a in ("8.8.8.8", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1")]
    [True, False, False, False]
    >>> [is_public(a) for a in ("64:ff9b::808:808", "64:ff9b::a00:1")]
    [True, False]
    """
    found = ipaddress.ip_address(address)
    inner = None
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    judged = inner or found
    return judged.is_global and not judged.is_multicast
