"""A run that goes on: what is new or has changed in the folders is answered as soon as it is whole.

The folders are looked through again and again. Notices of the operating system would come sooner, but not
from network drives, and not for files that the camera's card reader writes behind a mount.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

from okapia.batches.items import Item
from okapia.batches.source import SourceGone
from okapia.cli.folder_run import FolderRun, Listed
from okapia.cli.run_halt import Halt, RunPaused
from okapia.cli.run_ledger import Earlier
from okapia.cli.run_summary import Summary

_MOST_TAKEN = 16
"""Pictures that are taken before the folders are looked through again."""

_REST, _MOST_REST_S = 9, 60.0
"""The file is written anew at most a tenth of the time, however many pictures come; or once a minute."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait for what, in seconds.

    Attributes:
        settled_s: for which a file must have been as it is before it is taken.
        look_s: between two looks through the folders; four times what a look takes where that is more.
    """

    settled_s: float = 10.0
    look_s: float = 2.0


_PACE = Pace()


class Sightings:
    """What is known of the files by now.

    Attributes:
        taken: by their names, those that have an answer or are on their way to it, as they were then.
    """

    def __init__(self, *, settled_s: float) -> None:
        self.taken: dict[str, Item] = {}
        self._settled_s = settled_s
        self._since: dict[Item, float] = {}

    def forget_missing(self, found: Iterable[Item]) -> bool:
        """Forget the files that are not there any more; says whether there were such."""
        names = {item.name for item in found}
        gone = [name for name in self.taken if name not in names]
        for name in gone:
            del self.taken[name]
        return bool(gone)

    def settled(self, found: Iterable[Item], *, now: float) -> list[Item]:
        """Give the files that are not taken as they are now, and have been so for long enough."""
        new = [item for item in found if self.taken.get(item.name) != item]
        self._since = {item: self._since.get(item, now) for item in new}
        return [item for item, since in self._since.items() if now - since >= self._settled_s]

    def take(self, items: Iterable[Item]) -> None:
        """Note that these have an answer, or will have it."""
        self.taken |= {item.name: item for item in items}


class Watch:
    """Keeps the results file of a run up to date."""

    def __init__(self, run: FolderRun, *, show: Callable[[Summary], None], pace: Pace = _PACE) -> None:
        """Call `show` whenever the results file has been written."""
        self._run = run
        self._show = show
        self._pace = pace
        self._sightings = Sightings(settled_s=pace.settled_s)
        self._halt = Halt()
        self._writing: Future[Summary] | None = None
        self._has_results = False
        self._is_behind = True
        self._rests_until = 0.0

    def until_stopped(self) -> None:
        """Take what comes until a person stops it; what was taken is in the file then.

        Raises:
            RunPaused: a folder is gone, or something else stands in the way.
            StoppedByPerson: before everything that was there at the beginning had its answer.
        """
        self._sightings.take(_old(self._look(), than_s=self._pace.settled_s))
        with ThreadPoolExecutor(1, "okapia-watch") as pool:
            try:
                self._keep_up(pool)
            except KeyboardInterrupt:
                self._come_to_an_end()
            except BaseException:
                self._halt.set()
                raise

    def _keep_up(self, pool: Executor) -> None:
        while True:
            self._write(pool)
            started = time.monotonic()
            found = self._look()
            looked_s = time.monotonic() - started
            self._is_behind |= self._sightings.forget_missing(found)
            settled = self._sightings.settled(found, now=started)
            self._take(settled[:_MOST_TAKEN])
            if len(settled) <= _MOST_TAKEN:
                time.sleep(max(self._pace.look_s, 4 * looked_s))

    def _look(self) -> list[Item]:
        try:
            return list(self._run.source.items())
        except SourceGone as error:
            raise RunPaused(str(error)) from error

    def _take(self, items: list[Item]) -> None:
        if items:
            self._run.take(items)
            self._sightings.take(items)
            self._is_behind = True

    def _write(self, pool: Executor) -> None:
        """Begin to write the file where it is behind, and see whether it has been written."""
        if self._writing is not None and self._writing.done():
            self._written(self._writing.result())
        if self._writing is None and self._is_behind and time.monotonic() >= self._rests_until:
            self._is_behind = False
            # What is taken from now on is not in there, and stays for the next time.
            self._writing = pool.submit(self._timed_top_up, self._run.earlier(), self._taken())

    def _written(self, summary: Summary) -> None:
        self._writing, self._has_results = None, True
        self._show(summary)

    def _timed_top_up(self, earlier: Earlier, items: list[Item]) -> Summary:
        started = time.monotonic()
        summary = self._top_up(earlier, items)
        ended = time.monotonic()
        self._rests_until = ended + min(_REST * (ended - started), _MOST_REST_S)
        return summary

    def _top_up(self, earlier: Earlier, items: list[Item]) -> Summary:
        return self._run.top_up(Listed(items, self._run.source), earlier, total=len(items), halt=self._halt)

    def _taken(self) -> list[Item]:
        return [item for _, item in sorted(self._sightings.taken.items())]

    def _come_to_an_end(self) -> None:
        """Bring the file up to date for the last time."""
        if not self._has_results:
            self._halt.set()
        if self._writing is not None:
            self._written(self._writing.result())
        if self._is_behind:
            self._halt = Halt()
            self._show(self._top_up(self._run.earlier(), self._taken()))


def _old(items: Iterable[Item], *, than_s: float) -> list[Item]:
    """Give the files that were last written before so many seconds, by the disk's clock."""
    newest = time.time_ns() - int(than_s * 1e9)
    return [item for item in items if item.version is None or int(item.version) <= newest]
