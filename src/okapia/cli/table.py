"""Tables on the terminal: columns side by side, as wide as they need to be, so that `grep` and `cut` work."""

from collections.abc import Sequence
from datetime import UTC, datetime


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Give a line for the head and one for each row."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def minute(at: datetime | None) -> str:
    """Give a time to the minute, in UTC; a dash for no time."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
