"""The bar of commands that go through many pictures: on a terminal only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(total: int, *, is_quiet: bool) -> Iterator[Callable[[], None]]:
    """Show a bar with rate and time left on the error stream; gives what to call per picture.

    Args:
        is_quiet: show nothing, as on a pipe.
    """
    console = Console(stderr=True)
    if is_quiet or not console.is_terminal:
        yield lambda: None  # a bar that nobody sees still adds its speed up with every picture
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=total, rate="")

        def advance() -> None:
            speed = progress.tasks[task].speed
            progress.update(task, advance=1, rate=f"{speed:.1f}/s" if speed else "")

        yield advance
