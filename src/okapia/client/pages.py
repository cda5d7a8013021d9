"""Lists that the server gives in parts, as one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from okapia.client.connection import Connection
from okapia.client.options import Field
from okapia.client.reading import A, Answer, read, read_rows

_LIMIT = 100
"""Rows of a part: the most that the contract allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pagination(Answer):
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page(Answer):
    pagination: _Pagination | None = None
    next_cursor: str | None = None


def rows(
    connection: Connection, path: str, kind: type[A], *, key: str, query: Mapping[str, Field | None]
) -> Iterator[A]:
    """Give the rows `key` of all parts, each part asked for when it is needed.

    Lists by offset say whether there is more, lists by cursor where it begins, short ones neither.
    """
    asked: dict[str, Field] = {name: value for name, value in query.items() if value is not None}
    offset = 0
    while True:
        document = connection.get(path, {"limit": _LIMIT, **asked}).document
        part = read_rows(kind, document, key)
        yield from part
        page = read(_Page, document)
        offset += len(part)
        if page.next_cursor:
            asked["cursor"] = page.next_cursor
        elif part and page.pagination and page.pagination.has_more:
            asked["offset"] = offset
        else:
            return
