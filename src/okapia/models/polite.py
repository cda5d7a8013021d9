"""Heavy work beside pictures that somebody waits for."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

NICENESS = 10
"""Of 0 to 19. At 10 a thread gets about a tenth of a core that others want too: loading a network of 200 MB
then takes seconds in place of one, and delays the others by less than a tenth."""


def politely(work: Callable[[], T]) -> T:
    """Do `work` in a thread of its own that gives way to all others, and give its result.

    Only Linux knows a priority of single threads; elsewhere the work is done as usual. A thread cannot take
    its priority back, hence one of its own; threads that `work` starts inherit it for good.
    """
    with ThreadPoolExecutor(1, "okapia-polite", initializer=_give_way) as thread:
        return thread.submit(work).result()


def _give_way() -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
