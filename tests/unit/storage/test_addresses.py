"""Which addresses are public, which private, which neither."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.storage.addresses import is_private, is_public

PUBLIC = [
    "1.1.1.1",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001:81b::200e",
    "64:ff9b::5db8:d70e",
]
PRIVATE = [
    "10.0.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "::1",
    "fc00::1",
    "fd12:3456::1",
]
NEITHER = [
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.1",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:93.184.215.14",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "3fff::1",
    "5f00::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2606:4700::1111%eth0",
    "::1%lo",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
]


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_public_alone(text: str) -> None:
    address = ip_address(text)

    assert (is_public(address), is_private(address)) == (True, False)


@pytest.mark.parametrize("text", PRIVATE)
def test_a_private_address_is_private_alone(text: str) -> None:
    address = ip_address(text)

    assert (is_public(address), is_private(address)) == (False, True)


@pytest.mark.parametrize("text", NEITHER)
def test_addresses_that_nobody_may_fetch_from_are_neither(text: str) -> None:
    address = ip_address(text)

    assert (is_public(address), is_private(address)) == (False, False)


@given(st.ip_addresses())
def test_nothing_that_python_knows_as_special_is_public(address: IPv4Address | IPv6Address) -> None:
    assert not is_public(address) or (address.is_global and not address.is_multicast)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_judged_by_itself_or_refused(address: IPv4Address) -> None:
    inside = int(address)

    nat64 = IPv6Address((0x64FF9B << 96) | inside)
    mapped = IPv6Address((0xFFFF << 32) | inside)
    six_to_four = IPv6Address((0x2002 << 112) | (inside << 80) | 1)

    assert is_public(nat64) == is_public(address)
    assert not any(is_public(other) or is_private(other) for other in (mapped, six_to_four))
