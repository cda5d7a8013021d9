"""Who may call without a key: programs on known machines, and no web page through somebody's browser."""

from starlette.requests import Request

from okapia.domain.refusals import OriginRefused

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_OF_PROXIES = ("forwarded", "x-forwarded-for", "x-forwarded-host", "via")
_OWN_PAGES = frozenset({"", "same-origin", "none"})


def check_local(request: Request) -> None:
    """Let a call without a key pass where no stranger can have made it.

    A page on the internet can have a browser call this machine: its `Origin`, or `Sec-Fetch-Site`, gives it
    away. A name of its own that leads here (DNS rebinding) makes it same-origin: `Host` gives that away.

    Raises:
        OriginRefused: it may come from a page that is not the server's own.
    """
    if is_handed_on(request):
        raise OriginRefused(
            "without users the server answers no calls through a proxy; make a user and a key"
        )
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
    if name.lower() not in LOCAL_HOSTS:
        raise OriginRefused("without users the server answers as localhost, 127.0.0.1 or [::1] only")
    origin = request.headers.get("origin")
    is_own = origin is None or origin.lower() == f"{request.url.scheme}://{host.lower()}"
    if not is_own or request.headers.get("sec-fetch-site", "") not in _OWN_PAGES:
        raise OriginRefused("without users the server answers no pages but its own; make a user and a key")


def check_program(request: Request) -> None:
    """Let a call without a key from a known machine pass where no page in a browser there can have made it.

    Raises:
        OriginRefused: a browser sent it.
    """
    if "origin" in request.headers or request.headers.get("sec-fetch-site", "none") != "none":
        raise OriginRefused("without a key `gateway_networks` are for programs, not for pages in a browser")


def is_handed_on(request: Request) -> bool:
    """Say whether a proxy handed the call on."""
    return any(name in request.headers for name in _OF_PROXIES)
