"""Which addresses a caller's URL may lead to.

Tables of our own, not `ipaddress.is_global`: its answers differ between Python's patch releases, and it takes
addresses by which clouds hand out credentials for global ones. Sources: IANA's special-purpose address
registries (RFC 6890 and its updates), the clouds' documents.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address


def _networks(*texts: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


_UNICAST = _networks(
    "0.0.0.0/0",
    # The rest of IPv6 is local, multicast, IPv4 in disguise (`::ffff:127.0.0.1`), reserved or not given out.
    "2000::/3",
)
_SPECIAL = _networks(
    "0.0.0.0/8",  # "this host": Linux connects to itself
    "169.254.0.0/16",  # link-local, with most clouds' metadata
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "2001::/23",  # protocols: Teredo carries an IPv4 address
    "2001:db8::/32",
    "2002::/16",  # 6to4, carries one too
    "3fff::/20",
)
_PRIVATE = _networks(
    "10.0.0.0/8",
    "100.64.0.0/10",  # carriers' translators, and overlay networks
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
    "fc00::/7",
)
_METADATA = _networks(
    "100.100.100.200/32",  # Alibaba Cloud, within the carriers' range
    "168.63.129.16/32",  # Azure's WireServer, formally a public address
    "fd00:42::42/128",  # Scaleway; like the next ones within the private range
    "fd00:c1::a9fe:a9fe/128",  # Oracle Cloud
    "fd00:ec2::/32",  # Amazon
    "fd20:ce::254/128",  # Google Cloud
)
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Tell unicast addresses of the public internet from all others.

    Where there is no IPv4, names of IPv4 hosts resolve to `64:ff9b::/96`; the last 32 bits then decide
    (RFC 6052).
    """
    if isinstance(address, IPv6Address) and address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    refused = (_SPECIAL, _PRIVATE, _METADATA)
    return _is_in(_UNICAST, address) and not any(_is_in(networks, address) for networks in refused)


def is_private(address: Address) -> bool:
    """Tell addresses of one's own machine and network, without those that hand out a cloud's credentials."""
    return _is_in(_PRIVATE, address) and not _is_in(_METADATA, address)


def may_connect(address: Address, *, allow_private: bool) -> bool:
    """Tell whether an address may be connected to for a caller."""
    return is_public(address) or (allow_private and is_private(address))


def _is_in(networks: tuple[IPv4Network | IPv6Network, ...], address: Address) -> bool:
    zone = isinstance(address, IPv6Address) and address.scope_id is not None
    return not zone and any(address in network for network in networks)
