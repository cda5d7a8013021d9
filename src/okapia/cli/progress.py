"""Download progress: a bar on a terminal, one line an archive where there is none."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class ArchiveProgress:
    """Shows downloads on the error stream: one bar each, or one line each on a pipe or in a log."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show(self, name: str, n_bytes: int, total: int) -> None:
        """Set the bar called `name`."""
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total)
            if not self._console.is_terminal:
                self.say(f"{name}: fetching {total / 1_000_000:.0f} MB")
        self._bars.update(self._tasks[name], completed=min(n_bytes, total))

    def say(self, sentence: str) -> None:
        """Write a line above the bars."""
        self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)
