"""Trying again where a network was only unlucky."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx

from okapia.domain.errors import PullFailed

T = TypeVar("T")


class Interrupted(Exception):
    """The answer was not whole, or the server asks to come again; the sentence says which."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a download goes on trying.

    Attributes:
        pauses_s: seconds before the second, third, ... try. A try that brought new bytes counts as
            the first, so that a large archive arrives over a line that drops every minute.
    """

    pauses_s: tuple[float, ...] = (1.0, 3.0, 8.0)
    sleep: Callable[[float], None] = time.sleep

    def keep_trying(self, work: Callable[[], T], *, here: Callable[[], int], what: str) -> T:
        """Give what `work` gives in the end.

        Args:
            here: says how many bytes have arrived.
            what: names the thing that is fetched and its server, for the message.

        Raises:
            PullFailed: it failed as often as there are pauses and once more.
        """
        failures, most = 0, here()
        while True:
            try:
                return work()
            except (httpx.TransportError, Interrupted) as error:
                failures, most = (failures + 1, most) if here() <= most else (1, here())
                if failures > len(self.pauses_s):
                    raise PullFailed(
                        f"{what}: {_sentence(error)}, tried {failures} times; try again later (what has "
                        "arrived is kept), or fetch the archive elsewhere and "
                        "name its folder with `--from DIR`"
                    ) from error
                self.sleep(self.pauses_s[failures - 1])


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
