"""What a dialect is built with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal, TypeVar

from anyio import to_thread
from starlette.datastructures import Address

from okapia.domain.errors import SourceRefused
from okapia.service import Service
from okapia.service.desk import Desk

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a request is read, counted as it arrives.

    Attributes:
        max_body_bytes: of a request, everything in it.
        max_image_bytes: of the pictures of a request together, decoded from base64.
        max_filter_batch_bytes: of a `batch-filter` request; None for what others may have.
        max_body_s: seconds in which a body has to arrive.
        max_parts: parts of a multipart body.
        max_field_bytes: bytes of a part that is not an image.
    """

    max_body_bytes: int
    max_image_bytes: int = 10_000_000
    max_filter_batch_bytes: int | None = None
    max_body_s: float = 60.0
    max_parts: int = 64
    max_field_bytes: int = 65_536


def refuse_source(source: str) -> bytes:
    """Read nothing that callers name; raises `SourceRefused`."""
    del source
    raise SourceRefused("naming files and URLs is off")


@dataclass(frozen=True, slots=True)
class Context:
    """What a dialect is built with.

    Attributes:
        desk: who calls, what it costs, and what is kept for them.
        read_source: gives the bytes of a file or URL that a caller names; raises `SourceRefused`,
            `SourceUnavailable` or `UnreadableFile`.
        extra_fields: fields of SpeciesNet's instances that come back in its predictions.
        is_loopback: whether nobody but this machine can reach the server.
        model_aliases: names by which models are reported in place of their ids (joined by `+`).
        public_url: where callers reach the server, without a slash at the end; empty for where they say.
        gateway_networks: machines that may call the gateways without a key.
        has_proxies: whether there are proxies whose word for a caller's address counts.
        gateway_threshold: least confidence of what gateways report, where the caller says nothing.
        mlapi_expires_s: seconds that mlapi's login says its tokens live.
        microsoft_image_keys: what names pictures in Microsoft's answer: their form field, or their file.
        microsoft_failures: whether one bad picture fails Microsoft's call (`strict`), or itself alone.
    """

    service: Service
    desk: Desk
    limits: Limits
    threshold: float
    read_source: Callable[[str], bytes] = refuse_source
    extra_fields: tuple[str, ...] = ()
    is_loopback: bool = True
    public_url: str = ""
    model_aliases: Mapping[str, str] = field(default_factory=dict)
    gateway_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    has_proxies: bool = False
    gateway_threshold: float = 0.3
    mlapi_expires_s: int = 3600
    microsoft_image_keys: Literal["field", "filename"] = "field"
    microsoft_failures: Literal["strict", "per_image"] = "strict"

    def is_of_gateway(self, client: Address | None) -> bool:
        """Say whether a call comes from one of the `gateway_networks`."""
        try:
            address = ip_address(client.host if client else "")
        except ValueError:  # no address: a socket of this machine
            return False
        # A server that listens on `::` sees IPv4 as `::ffff:192.168.1.4`.
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.gateway_networks)

    async def at_desk(self, work: Callable[[], T]) -> T:
        """Have the desk do something short; in a thread only where that may have to wait.

        A short transaction of SQLite takes 0.3 ms; the way to a thread and back costs a millisecond and more.
        """
        return work() if self.desk.is_quick else await to_thread.run_sync(work)
