"""Whose fault it is when a URL is not answered: the picture's, its host's, or the network's."""

from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from threading import Lock

from okapia.domain.errors import BadImage
from okapia.storage.fetch_errors import HostSilent

Fetch = Callable[[str], bytes]
"""Gives the body that a URL leads to; raises `BadImage`, of which `HostSilent` where nobody answered."""

GRACE_S = 600.0
"""Silence of a host, while others answer, after which its pictures are given up."""

_DEAD_S = 60.0
"""How long a host that was given up is not asked again."""

_MOST_HOSTS = 1000
_OTHERS_ASKED = 3


class Hosts:
    """The hosts of a list, as far as they were asked; safe to use from several threads.

    A picture that is not answered says nothing by itself. So its host is asked for what it gave before: if
    that comes, the picture is at fault. If not, other hosts are: as long as none of them answers either, it
    is the network, and no picture is at fault. Where they do, the host has `GRACE_S` to come back.
    """

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = Lock()
        self._answered: OrderedDict[str, str] = OrderedDict()
        self._silent_since: dict[str, float] = {}
        self._dead_until: dict[str, float] = {}

    def note_answer(self, host: str, url: str) -> None:
        """Remember that a host answered this URL, with whatever."""
        with self._lock:
            self._answered[host] = url
            self._answered.move_to_end(host)
            self._silent_since.pop(host, None)
            if len(self._answered) > _MOST_HOSTS:
                self._answered.popitem(last=False)

    def is_given_up(self, host: str) -> bool:
        """Tell a host that was found dead a moment ago."""
        return self._clock() < self._dead_until.get(host, 0.0)

    def is_no_outage(self, host: str) -> bool:
        """Tell whether a picture that its host does not answer fails alone: others would be given."""
        with self._lock:
            own = self._answered.get(host)
            others = [url for other, url in reversed(self._answered.items()) if other != host]
            since = self._silent_since.setdefault(host, self._clock())
        if own is not None and self._answers(own):
            return True
        if self._clock() - since < GRACE_S or not any(map(self._answers, islice(others, _OTHERS_ASKED))):
            return False
        self._dead_until[host] = self._clock() + _DEAD_S
        return True

    def _answers(self, url: str) -> bool:
        try:
            self._fetch(url)
        except HostSilent:
            return False
        except BadImage:
            return True
        return True
