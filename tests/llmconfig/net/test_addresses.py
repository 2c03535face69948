"""Every kind of address, in every spelling, lands in its place."""

from __future__ import annotations

import pytest

from llmconfig.net.addresses import Place, literal_address, place_of

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.1.1",
    "198.17.0.1",
    "198.20.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82a::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.4.12",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.254",
    "198.18.0.1",
    "::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
]
RESERVED = [
    "0.0.0.0",  # noqa: S104  not bound, judged
    "0.1.2.3",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::8.8.8.8",
    "::7f00:1",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001:db8::1",
    "2001::1",
    "2001:0:0:0:0:0:80ff:fffe",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fec0::1",
    "ff02::1",
]
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.1",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fe80::1",
    "fe80::a9fe:a9fe%eth0",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fd00:42::42",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "::ffff:168.63.129.16",
    "::ffff:100.100.100.200",
    "2606:4700::5efe:169.254.169.254",
]


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (address, place)
        for place, addresses in (
            (Place.PUBLIC, PUBLIC),
            (Place.PRIVATE, PRIVATE),
            (Place.RESERVED, RESERVED),
            (Place.METADATA, METADATA),
        )
        for address in addresses
    ],
)
def test_place(address: str, place: Place) -> None:
    assert place_of(address) is place


@pytest.mark.parametrize(
    "spelling",
    ["127.0.0.1", "2130706433", "0x7f000001", "0x7F.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0x7f.1", "127.0.0.1."],
)
def test_spellings_of_loopback(spelling: str) -> None:
    assert str(literal_address(spelling)) == "127.0.0.1"


@pytest.mark.parametrize(
    "name", ["api.example.com", "localhost", "7f000001.example", "1 2", "", "\u0661.\u0660.\u0660.\u0661", "256.1.1.1.1"]
)
def test_names_are_no_addresses(name: str) -> None:
    assert literal_address(name) is None


def test_isatap_interface_of_a_private_network_is_refused() -> None:
    assert place_of("2606:4700::200:5efe:10.0.0.1") is Place.PRIVATE
