"""Azure containers, as a URL with a shared access signature (SAS) in its query names them."""

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, parse_qs, unquote, urlencode, urlsplit

from okapia.domain.errors import InvalidRequest

_PARAM = "input_container_sas"
_NO_CONTAINER = f"{_PARAM} provided is not for a container."
_NO_RIGHTS = f"{_PARAM} provided does not have both read and list permissions."

_OWN_HOST = ".blob.core.windows.net"
_ACCOUNT_HOST = re.compile(r"([a-z0-9]{3,24})\.blob\.[a-z0-9.-]+")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}|\$root|\$web")


@dataclass(frozen=True, slots=True)
class Container:
    """A container and what opens it.

    Attributes:
        address: as Okapia writes it: `az://ACCOUNT/CONTAINER`, with `?endpoint=` where it is not Azure's own.
        sas: the token, as it stood in the query.
    """

    address: str
    sas: str = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `https://ACCOUNT.blob.core.windows.net/CONTAINER?sp=rl&...&sig=...`.

        A server without a name for each account (Azurite) has it in the path: `http://HOST/ACCOUNT/CONTAINER`.

        Raises:
            InvalidRequest: it is something else, or does not say that it may be read and listed. Nothing of
                the URL is repeated.
        """
        try:
            split = urlsplit(url)
            address = _address(split)
        except ValueError:
            address = None
        if address is None or parse_qs(split.query).get("sr", ["c"]) != ["c"]:
            raise InvalidRequest(_NO_CONTAINER, param=_PARAM) from None
        if not _may_be_listed(split.query):
            raise InvalidRequest(_NO_RIGHTS, param=_PARAM)
        return cls(address, split.query)


def _address(url: SplitResult) -> str | None:
    if url.scheme not in {"http", "https"} or url.username or url.password or url.fragment:
        return None
    host, path = url.hostname or "", unquote(url.path).strip("/")
    named = _ACCOUNT_HOST.fullmatch(host)
    account, _, container = (named[1], "", path) if named else path.partition("/")
    if not _ACCOUNT.fullmatch(account) or not _CONTAINER.fullmatch(container):
        return None
    if host == f"{account}{_OWN_HOST}" and url.port is None:
        return f"az://{account}/{container}"
    endpoint = f"{url.scheme}://{url.netloc}" + ("" if named else f"/{account}")
    return f"az://{account}/{container}?{urlencode({'endpoint': endpoint})}"


def _may_be_listed(query: str) -> bool:
    """Say whether a token allows to read and list, or leaves that to a policy stored at the container."""
    parts = parse_qs(query)
    return "si" in parts or {*"rl"} <= {*parts.get("sp", [""])[0]}
