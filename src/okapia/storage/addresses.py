"""Which addresses of the internet a caller's URL may lead to.

Tables of our own, not `ipaddress.is_global`: that answers differently between Python's patch releases, and it takes
addresses that clouds reach their control plane by for global ones. Source: IANA's special-purpose address registries
(RFC 6890 and updates) and the clouds' documents.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

type_of_address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


def _networks(*texts: str) -> tuple[_Network, ...]:
    return tuple(ip_network(text) for text in texts)


_CONTROL_PLANE = _networks(
    "100.100.100.200",  # Alibaba Cloud's metadata, within the carriers' range
    "168.63.129.16",  # Azure's WireServer, a public address
    "fd00:42::42",  # Scaleway's metadata; like the next ones within the private range
    "fd00:c1::a9fe:a9fe",  # Oracle Cloud's
    "fd00:ec2::/32",  # Amazon's, with its time and DNS servers
    "fd20:ce::254",  # Google Cloud's
)
"""Where machines in a cloud get credentials from. 169.254.169.254, most clouds' own, is link-local anyway."""

_PRIVATE = _networks(
    "10.0.0.0/8",
    "100.64.0.0/10",  # carriers' translators, and overlay networks such as Tailscale
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1",
    "fc00::/7",
)

_NOT_PUBLIC = _networks(
    "0.0.0.0/8",  # "this host": Linux connects to itself
    "169.254.0.0/16",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "2001::/23",  # Teredo carries an IPv4 address inside; ORCHID, benchmarks
    "2001:db8::/32",
    "2002::/16",  # 6to4 carries an IPv4 address inside
    "3fff::/20",
)
_UNICAST = _networks("0.0.0.0/0", "2000::/3")
"""All of IPv6 outside 2000::/3 is local, multicast, mapped (`::ffff:127.0.0.1`), reserved or not given out."""

_NAT64 = IPv6Network("64:ff9b::/96")
"""Networks without IPv4 reach it through these addresses (RFC 6052): the last 32 bits say where to."""
