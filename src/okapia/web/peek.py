"""The beginning of a form, looked at before it is known who may send it: who sends it may stand in there."""

import asyncio
from dataclasses import dataclass, field

import multipart
from starlette.requests import Request
from starlette.types import Message, Receive

MOST_BYTES = 65_536
"""Looked at in vain, a form counts as one that begins with nothing."""


@dataclass(slots=True)
class FormStart:
    """What a form begins with.

    Attributes:
        fields: of text, whole, before the first file.
        file_field: name of the first file's field; None when none was seen.
    """

    fields: dict[str, str] = field(default_factory=dict)
    file_field: str | None = None


async def peek_form(request: Request, *, max_s: float) -> tuple[FormStart, Receive]:
    """Look at a form's text fields before its first file; what was read comes again from what is given.

    Args:
        max_s: seconds after which what has come until then has to do.
    """
    start, messages = FormStart(), list[Message]()
    content_type = request.headers.get("content-type", "")
    if content_type.lower().startswith("multipart/form-data"):
        try:
            async with asyncio.timeout(max_s):
                await _look(request.receive, content_type, start, messages)
        except (multipart.MultipartError, TimeoutError):
            pass  # whoever reads the whole body says it better
    return start, _first(messages, request.receive)


async def _look(receive: Receive, content_type: str, start: FormStart, messages: list[Message]) -> None:
    _, options = multipart.parse_options_header(content_type)
    name, value, seen = "", b"", 0
    with multipart.PushMultipartParser(options.get("boundary", ""), strict=False) as parser:
        while seen < MOST_BYTES and not (messages and not messages[-1].get("more_body")):
            messages.append(await receive())
            chunk = messages[-1].get("body", b"")
            seen += len(chunk)
            # To the parser an empty piece is the end.
            for event in parser.parse(chunk) if chunk else ():
                if isinstance(event, multipart.MultipartSegment):
                    if event.filename is not None:
                        start.file_field = event.name
                        return
                    name, value = event.name, b""
                elif event is not None:
                    value += event
                else:
                    start.fields[name] = value.decode(errors="replace")


def _first(messages: list[Message], rest: Receive) -> Receive:
    waiting = iter(messages)

    async def receive() -> Message:
        for message in waiting:
            return message
        return await rest()

    return receive
