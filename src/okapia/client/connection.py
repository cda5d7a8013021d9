"""One server: its address, the key, and how a call becomes an answer or an error."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx

from okapia import __version__
from okapia.client.errors import NoAnswer, UnexpectedAnswer, error_of, retry_after_s
from okapia.client.images import Picture, content_type_of
from okapia.client.options import Field, form_of
from okapia.client.retrying import Retrying


@dataclass(frozen=True, slots=True)
class Reply:
    """What a successful call brought.

    Attributes:
        document: the JSON of the body; None when there is no body.
        retry_after_s: when asking again makes sense, where the server says so.
    """

    document: object
    retry_after_s: float | None


class Connection:
    """Calls of one server below one prefix. Threads may share it.

    Every method raises `ApiError` when trying again did not help, or cannot.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None,
        timeout_s: float,
        retrying: Retrying,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Remember; nothing is sent.

        Raises:
            ValueError: `base_url` is no plain http(s) URL, or `api_key` holds what no key does.
        """
        self.base_url = _checked_url(base_url)
        self.retrying = retrying
        self._key = {"Authorization": f"Bearer {_checked_key(api_key)}"} if api_key else {}
        self._timeout_s = timeout_s
        self._http = httpx.Client(transport=transport, headers={"User-Agent": f"okapia-python/{__version__}"})

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, query: Mapping[str, Field] | None = None) -> Reply:
        url = self.base_url + path
        return self._send(
            self._http.build_request("GET", url, headers=self._key, params=form_of(query or {}))
        )

    def delete(self, path: str) -> Reply:
        return self._send(self._http.build_request("DELETE", self.base_url + path, headers=self._key))

    def patch(self, path: str, document: Mapping[str, object]) -> Reply:
        url = self.base_url + path
        return self._send(self._http.build_request("PATCH", url, headers=self._key, json=document))

    def post(
        self, path: str, document: Mapping[str, object] | None = None, *, idempotency_key: str | None = None
    ) -> Reply:
        """Send a JSON object, or nothing; done once, however often it is sent."""
        headers = self._key | {"Idempotency-Key": idempotency_key or str(uuid4())}
        url = self.base_url + path
        return self._send(self._http.build_request("POST", url, headers=headers, json=document))

    def post_pictures(
        self,
        path: str,
        pictures: Sequence[Picture],
        *,
        part: str,
        form: Mapping[str, Field],
        idempotency_key: str | None = None,
    ) -> Reply:
        """Send pictures as parts of that name, with a form; done once, however often it is sent."""
        key = idempotency_key or str(uuid4())
        # The server compares the bodies of equal keys, so chance must not choose the boundary.
        boundary = hashlib.sha256(key.encode()).hexdigest()[:32]
        headers = self._key | {
            "Idempotency-Key": key,
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        }
        files = [(part, (picture.name, picture.data, content_type_of(picture.name))) for picture in pictures]
        url = self.base_url + path
        return self._send(
            self._http.build_request("POST", url, headers=headers, data=form_of(form), files=files)
        )

    def put(self, url: str, data: bytes, *, headers: Mapping[str, str]) -> None:
        """Send bytes to a URL of whatever host, without the key; what it says to that does not matter."""
        request = self._http.build_request("PUT", url, content=data, headers=headers)
        self.retrying.run(partial(self._attempt, request))

    def lines(self, path: str) -> Iterator[str]:
        """Give the lines of a text as they arrive; once the first has, a break is not tried again."""
        request = self._http.build_request("GET", self.base_url + path, headers=self._key)
        with ExitStack() as opened:
            response = self.retrying.run(lambda left_s: opened.enter_context(self._opened(request, left_s)))
            yield from response.iter_lines()

    def fetch(self, url: str, target: Path) -> None:
        """Write what is at a URL of whatever host to a file, whole or not at all, without the key."""
        request = self._http.build_request("GET", url)
        self.retrying.run(partial(self._write, request, target))

    def _write(self, request: httpx.Request, target: Path, left_s: float) -> None:
        part = target.with_name(f"{target.name}.part")
        try:
            with self._opened(request, left_s) as response, part.open("wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _send(self, request: httpx.Request) -> Reply:
        response = self.retrying.run(partial(self._attempt, request))
        return Reply(_document(response), retry_after_s(response.headers))

    def _attempt(self, request: httpx.Request, left_s: float) -> httpx.Response:
        with self._opened(request, left_s) as response:
            response.read()
        return response

    @contextmanager
    def _opened(self, request: httpx.Request, left_s: float) -> Iterator[httpx.Response]:
        """Give a successful answer whose body is still to come."""
        silence_s = min(self._timeout_s, max(1.0, left_s))
        request.extensions["timeout"] = httpx.Timeout(silence_s).as_dict()
        try:
            with closing(self._http.send(request, stream=True)) as response:
                if response.has_redirect_location:
                    where = response.headers["Location"]
                    raise UnexpectedAnswer(
                        f"the server is elsewhere: expected an answer, got sent to {where}"
                    )
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                yield response
        except httpx.RequestError as error:
            said = str(error) or type(error).__name__
            raise NoAnswer(f"no answer from {request.url.host}: {said}") from error


def at(*steps: str) -> str:
    """Give the path of the contract that leads over these steps; an id stays one step whatever it holds.

    Raises:
        ValueError: a step leads nowhere, or back.
    """
    if nowhere := {"", ".", ".."}.intersection(steps):
        raise ValueError(f"expected the id of something, got {nowhere.pop()!r}")
    return "/v1/" + "/".join(quote(step, safe="") for step in steps)


def _document(response: httpx.Response) -> object:
    if not response.content:
        return None
    try:
        document: object = json.loads(response.content)
    except ValueError as error:
        kind = response.headers.get("Content-Type", "nothing that says what it is")
        raise UnexpectedAnswer(f"expected JSON, got {kind}") from error
    return document


def _checked_url(base_url: str) -> str:
    url = httpx.URL(base_url)
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.query or url.fragment:
        raise ValueError("expected a base URL like https://host/prefix, without a user, query or fragment")
    return base_url.rstrip("/")


def _checked_key(api_key: str) -> str:
    """Refuse here what HTTP would refuse with the key in its message."""
    key = api_key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the API key is blank, or holds a space or a character that no key has")
    return key
