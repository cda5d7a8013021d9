"""Clients that misbehave on the wire: slow, lying, going away; the server answers them and everybody else."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.acceptance.okapia_process import server

pytestmark = pytest.mark.models

MAX_BODY_S = 1


@pytest.fixture(scope="module")
def url(lite: None) -> Iterator[str]:
    """A server that waits a second for bodies."""
    del lite
    with server(settings={"OKAPIA_MAX_BODY_S": str(MAX_BODY_S)}) as (address, _, _):
        yield address


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """Connect to the server without any client's good manners."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        yield connection


def heard(connection: socket.socket) -> bytes:
    """Give all that comes until the server ends the connection."""
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def talk(url: str, request: bytes) -> bytes:
    """Send a request that asks for the connection's end, and give all that comes back."""
    with connected(url) as connection:
        connection.sendall(request)
        return heard(connection)


def head(length: int | str, *, kind: str = "image/jpeg") -> bytes:
    return (
        f"POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {length}\r\nConnection: close\r\n\r\n"
    ).encode()


def status_of(answer: bytes) -> int:
    return int(answer.split(maxsplit=2)[1])


def test_a_body_that_trickles_in_is_given_up(url: str) -> None:
    began = time.monotonic()

    answer = talk(url, head(100_000) + b"\xff\xd8")

    assert status_of(answer) == 408
    assert b"body_too_slow" in answer
    assert MAX_BODY_S <= time.monotonic() - began < MAX_BODY_S + 5


def test_a_body_that_is_shorter_than_it_says_is_no_answer_and_no_harm(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(head(1000) + b"\xff\xd8")
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)

    assert answer == b""
    assert httpx.get(f"{url}/healthz").status_code == 200


def test_a_body_that_is_longer_than_it_says_is_taken_at_its_word(url: str) -> None:
    answer = talk(url, head(4) + b"\xff\xd8\xff\xe0" + b"GET /secret HTTP/1.1\r\n\r\n")

    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "99999999999999999999999", "4, 4"])
def test_lengths_that_are_none_are_refused(url: str, length: str) -> None:
    answer = talk(url, head(length) + b"\xff\xd8\xff\xe0")

    assert answer == b"" or status_of(answer) in {400, 413}
    assert httpx.get(f"{url}/healthz").status_code == 200


def test_21_mb_are_refused_before_they_are_sent(url: str) -> None:
    answer = talk(url, head(21_000_000))

    assert status_of(answer) == 413


def test_21_mb_that_nobody_announced_are_refused_on_the_way(url: str) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(21):
            yield bytes(1_000_000)

    answer = httpx.post(f"{url}/v1/detect", content=pieces(), headers={"Content-Type": "image/jpeg"})

    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


def test_json_nested_ten_thousand_deep_is_a_wrong_request(url: str) -> None:
    body = b'{"image": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"

    answer = httpx.post(f"{url}/v1/detect", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
