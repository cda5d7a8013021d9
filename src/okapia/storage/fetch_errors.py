"""How fetching a caller's URL can fail, for those who try again; all others see `source_unavailable`."""

from okapia.domain.errors import SourceUnavailable


class HostSilent(SourceUnavailable):
    """The host was not found, did not answer, broke off or was too busy: that says nothing of the picture."""


class AccessRefused(SourceUnavailable):
    """The host wants other credentials (401, 403): perhaps the URL's signature has expired."""


class NothingThere(SourceUnavailable):
    """The host answers that there is nothing at the URL (404, 410)."""


_BUSY = frozenset({408, 425, 429})
_REFUSED = frozenset({401, 403})
_GONE = frozenset({404, 410})


def unexpected_status(status: int) -> SourceUnavailable:
    """Give the error that a status other than 200 is."""
    message = f"expected status 200, the server answered {status}"
    if status >= 500 or status in _BUSY:
        return HostSilent(message)
    if status in _REFUSED:
        return AccessRefused(message)
    return NothingThere(message) if status in _GONE else SourceUnavailable(message)
