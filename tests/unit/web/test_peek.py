"""Looking at how a form begins: what is seen, that nothing is lost, and that nobody can hurt with it."""

import asyncio
import random
from collections.abc import Iterator, Sequence

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from okapia.web.peek import MOST_BYTES, FormStart, peek_form

BOUNDARY = "x0x"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
SECONDS = 5.0


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    """Write a part of a form."""
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


class Sender:
    """A client that sends a body in pieces and goes away, and counts how many were taken."""

    def __init__(self, pieces: Sequence[bytes], *, is_whole: bool = True) -> None:
        self.taken = 0
        self._messages = self._all(pieces, is_whole=is_whole)

    async def receive(self) -> Message:
        self.taken += 1
        return next(self._messages)

    def _all(self, pieces: Sequence[bytes], *, is_whole: bool) -> Iterator[Message]:
        for place, piece in enumerate(pieces, start=1):
            yield {"type": "http.request", "body": piece, "more_body": place < len(pieces) or not is_whole}
        while True:
            yield {"type": "http.disconnect"}


def request(sender: Sender, content_type: str = FORM) -> Request:
    headers = [(b"content-type", content_type.encode("latin-1"))]
    return Request({"type": "http", "method": "POST", "headers": headers}, sender.receive)


def peek(*pieces: bytes, content_type: str = FORM) -> tuple[FormStart, bytes]:
    """Look at a body, and read it afterwards; gives what was seen, and what came."""

    async def both() -> tuple[FormStart, bytes]:
        looked = request(Sender(pieces), content_type)
        start, receive = await peek_form(looked, max_s=SECONDS)
        return start, await Request(looked.scope, receive).body()

    return asyncio.run(both())


@pytest.mark.parametrize("size", [1, 7, 64, 1000, 10_000])
def test_text_before_the_first_file_is_seen_and_all_is_read_again(size: int) -> None:
    body = form(
        part("api_key", b"ok_live_x"), part("min_confidence", b"0.4"), part("image", b"\xff" * 3000, "a")
    )
    pieces = [body[at : at + size] for at in range(0, len(body), size)]

    start, read = peek(*pieces)

    assert start == FormStart({"api_key": "ok_live_x", "min_confidence": "0.4"}, "image")
    assert read == body


def test_no_more_is_taken_than_up_to_the_first_file() -> None:
    async def taken() -> int:
        sender = Sender([part("api_key", b"k"), part("image", b"x" * 100, "a")] + [b"x" * 60_000] * 9)
        await peek_form(request(sender), max_s=SECONDS)
        return sender.taken

    assert asyncio.run(taken()) == 2


def test_what_stands_behind_the_first_file_is_not_seen() -> None:
    start, _ = peek(form(part("image", b"x", "a"), part("api_key", b"k"), part("file", b"x", "b")))

    assert start == FormStart({}, "image")


def test_a_file_without_a_name_of_its_own_is_one_all_the_same() -> None:
    start, _ = peek(form(part("file", b"", "")))

    assert start.file_field == "file"


def test_a_part_without_a_filename_is_text() -> None:
    start, _ = peek(form(part("file", b"\xff\xd8\xff")))

    assert start == FormStart({"file": "\N{REPLACEMENT CHARACTER}" * 3}, None)


def test_a_field_that_comes_twice_is_not_the_two_in_a_row() -> None:
    start, _ = peek(form(part("api_key", b"ok_live_"), part("api_key", b"secret"), part("image", b"x", "a")))

    assert start.fields == {"api_key": "secret"}


def test_a_character_cut_in_two_on_its_way_is_whole() -> None:
    body = form(part("name", "ü".encode()), part("image", b"x", "a"))
    at = body.index("ü".encode()) + 1

    assert peek(body[:at], body[at:])[0].fields == {"name": "ü"}


def test_an_empty_piece_in_between_is_not_the_end() -> None:
    body = form(part("api_key", b"k"), part("image", b"x", "a"))

    start, read = peek(b"", body[:20], b"", b"", body[20:])

    assert start == FormStart({"api_key": "k"}, "image")
    assert read == body


def test_a_form_that_hides_its_file_behind_much_text_begins_with_no_file() -> None:
    pieces = [part("note", b"x" * 30_000)] * 4 + [form(part("api_key", b"k"), part("file", b"x", "a"))]

    async def looked() -> tuple[FormStart, int]:
        sender = Sender(pieces)
        start, _ = await peek_form(request(sender), max_s=SECONDS)
        return start, sender.taken

    start, taken = asyncio.run(looked())
    assert (start.file_field, "api_key" in start.fields) == (None, False)
    assert taken * 30_000 < MOST_BYTES + 30_000


def test_a_field_that_was_not_looked_at_to_its_end_does_not_count() -> None:
    start, read = peek(*[b"--x0x\r\n" + part("api_key", b"")[7:-2], b"k" * 70_000, b"k" * 70_000])

    assert start == FormStart()
    assert len(read) > 140_000


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=x0x",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="',
        "multipart/form-data; boundary=other",
        "multipart/form-data; boundary=\xff\xfe",
        "multipart/form-data; boundary=" + "x" * 5000,
    ],
)
def test_a_body_of_another_kind_or_without_its_boundary_passes_as_it_is(content_type: str) -> None:
    body = form(part("api_key", b"k"), part("file", b"x", "a"))

    start, read = peek(body, content_type=content_type)

    assert start == FormStart()
    assert read == body


@pytest.mark.parametrize(
    "content_type", ["Multipart/Form-Data; boundary=x0x", 'multipart/form-data; boundary="x0x"']
)
def test_the_type_may_be_written_as_clients_do(content_type: str) -> None:
    assert peek(form(part("file", b"x", "a")), content_type=content_type)[0].file_field == "file"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"Content-Disposition: form-data\r\n",
        b"Content-Disposition: attachment; name=file; filename=a\r\n",
        b"Content-Disposition: form-data; name=\xff\xfe; filename=a\r\n",
        b"Content-Disposition\r\n",
        b"Content-Length: -5\r\nContent-Disposition: form-data; name=file\r\n",
        b"X: y\r\n" * 50,
        b"X: " + b"y" * 9000 + b"\r\n",
    ],
)
def test_a_part_with_an_odd_head_is_left_to_whoever_reads_the_form(head: bytes) -> None:
    body = f"--{BOUNDARY}\r\n".encode() + head + b"\r\nx\r\n" + form()

    start, read = peek(body)

    assert start.file_field is None
    assert read == body


def test_a_thousand_broken_forms_hurt_nobody() -> None:
    chance = random.Random(6)  # noqa: S311 - the same thousand each time
    whole = form(
        part("api_key", b"ok_live_x"), part("type", b"object"), part("image", b"\xff\xd8\xff" * 50, "a")
    )

    for _ in range(1000):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            body[chance.randrange(len(body))] = chance.choice(b"\r\n-x\"';=\0\xff:")
        cut = chance.randrange(len(body))
        _, read = peek(bytes(body[:cut]), bytes(body[cut:]))
        assert read == body


def test_a_client_that_goes_away_is_gone_for_the_reader_too() -> None:
    async def read() -> bytes:
        looked = request(Sender([part("api_key", b"k")], is_whole=False))
        _, receive = await peek_form(looked, max_s=SECONDS)
        return await Request(looked.scope, receive).body()

    with pytest.raises(ClientDisconnect):
        asyncio.run(read())


def test_a_client_that_stops_sending_is_waited_for_so_long_and_no_longer() -> None:
    first = part("api_key", b"k")

    async def looked() -> tuple[FormStart, Message]:
        pieces = iter([{"type": "http.request", "body": first, "more_body": True}])

        async def receive() -> Message:
            for piece in pieces:
                return piece
            await asyncio.Event().wait()
            raise AssertionError

        slow = Request(request(Sender([])).scope, receive)
        start, again = await peek_form(slow, max_s=0.05)
        return start, await again()

    start, message = asyncio.run(looked())
    assert start == FormStart()
    assert message["body"] == first
