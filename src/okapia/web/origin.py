"""Who may call without a key: this machine's own programs, and no web page through somebody's browser."""

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
    if any(name in request.headers for name in _OF_PROXIES):
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
