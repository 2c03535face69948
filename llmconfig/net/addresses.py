"""What kind of place an IP address is: public, private, cloud metadata, or none a client should ever dial.

Our own tables, since `ipaddress.is_global` differs between Python releases and lets IPv4 wrapped in IPv6 and cloud
metadata services through. Sources: the IANA IPv4 and IPv6 special-purpose address registries, RFC 6052 (NAT64),
RFC 3056 (6to4), RFC 4380 (Teredo), RFC 5214 (ISATAP), and the metadata addresses the clouds document.
"""

from __future__ import annotations

import socket
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address


class Place(Enum):
    """Ordered from harmless to forbidden; an address that wraps another is as bad as the worse of the two."""

    PUBLIC = 0
    PRIVATE = 1  # reachable when an operator lists it
    RESERVED = 2  # multicast, unspecified, documentation, tunnels: never
    METADATA = 3  # hands out credentials to whoever asks: never


_PRIVATE_V4 = tuple(
    map(
        IPv4Network,
        (
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT, also overlay networks
            "127.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "198.18.0.0/15",  # benchmarking
        ),
    )
)
_RESERVED_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_METADATA_V4 = tuple(
    map(
        IPv4Network,
        (
            "169.254.0.0/16",  # AWS, Google, Azure, Oracle, DigitalOcean, ECS task roles
            "168.63.129.16/32",  # Azure's wire server
            "100.100.100.200/32",  # Alibaba
            "192.0.0.192/32",  # Oracle, classic
        ),
    )
)

_GLOBAL_V6 = IPv6Network("2000::/3")
_PRIVATE_V6 = (IPv6Network("fc00::/7"), IPv6Network("::1/128"))
_RESERVED_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocol assignments, Teredo and ORCHID among them
            "2001:db8::/32",
            "2002::/16",  # 6to4
            "3fff::/20",
        ),
    )
)
_METADATA_V6 = tuple(
    map(
        IPv6Network,
        (
            "fe80::/10",  # link-local: the v6 counterpart of 169.254.0.0/16
            "fd00:ec2::/32",  # AWS
            "fd20:ce::254/128",  # Google
            "fd00:42::42/128",  # Scaleway
            "fd00:c1::a9fe:a9fe/128",  # Oracle
        ),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_MAPPED = IPv6Network("::ffff:0:0/96")
# Prefixes that end in an IPv4 address: compatible, SIIT, NAT64 with a local prefix, and ISATAP's interface ids below.
_WRAPS_V4 = (IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"), IPv6Network("64:ff9b:1::/48"))
_ISATAP = (0x00005EFE, 0x02005EFE)


def place_of(address: str | IPv4Address | IPv6Address) -> Place:
    """Raises ValueError where `address` is no IP address in canonical form."""
    parsed = ip_address(address.partition("%")[0]) if isinstance(address, str) else address
    return _place_v4(parsed) if isinstance(parsed, IPv4Address) else _place_v6(parsed)


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that `host` spells, in any form a C resolver reads (decimal, octal, hex, short), or None for a name."""
    text = host.strip("[]").partition("%")[0].rstrip(".")
    try:
        return ip_address(text)
    except ValueError:
        pass
    # inet_aton reads "1 anything" as 1: only a single word can be a host.
    if not text or not text.isascii() or text.split() != [text]:
        return None
    try:
        return IPv4Address(socket.inet_aton(text))
    except OSError:
        return None


def _place_v4(address: IPv4Address) -> Place:
    for place, networks in ((Place.METADATA, _METADATA_V4), (Place.RESERVED, _RESERVED_V4), (Place.PRIVATE, _PRIVATE_V4)):
        if any(address in network for network in networks):
            return place
    return Place.PUBLIC


def _place_v6(address: IPv6Address) -> Place:
    if address in _PRIVATE_V6[1]:
        return Place.PRIVATE
    embedded = _embedded(address)
    inner = _place_v4(embedded) if embedded is not None else Place.PUBLIC
    if address in _MAPPED or address in _NAT64:
        return inner
    return max(_outer_v6(address), inner, key=lambda place: place.value)


def _outer_v6(address: IPv6Address) -> Place:
    for place, networks in ((Place.METADATA, _METADATA_V6), (Place.RESERVED, _RESERVED_V6), (Place.PRIVATE, _PRIVATE_V6)):
        if any(address in network for network in networks):
            return place
    return Place.PUBLIC if address in _GLOBAL_V6 else Place.RESERVED


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a translator or tunnel would reach through this one."""
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _MAPPED or address in _NAT64 or any(address in network for network in _WRAPS_V4):
        return last
    return last if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP else None
