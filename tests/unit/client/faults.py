"""A server that fails as a test wants it to, and a clock that only a test moves."""

import httpx

from okapia.client import Okapia
from okapia.client.retrying import Timing

ANSWER: dict[str, object] = {"id": "a1", "annotations": [], "info": {"model_id": "one-fox"}}


class ManualClock:
    """Time that passes only by sleeping; chance gives the longest waits."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []
        self.timing = Timing(clock=lambda: self.now_s, sleep=self._sleep, draw=lambda: 0.0)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


class Faults:
    """Answers with one thing after the other, and remembers the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = iter(answers)
        self.requests: list[httpx.Request] = []
        self.timeouts_s: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        self.timeouts_s.append(request.extensions["timeout"]["read"])
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(
        self, clock: ManualClock | None = None, *, api_key: str | None = None, max_retries: int = 4
    ) -> Okapia:
        """A client that meets these faults and gives up after 100 s."""
        return Okapia(
            "https://api.example.org",
            api_key,
            max_retries=max_retries,
            patience_s=100,
            transport=httpx.MockTransport(self),
            timing=(clock or ManualClock()).timing,
        )


def good() -> httpx.Response:
    return httpx.Response(200, json=ANSWER)


def bad(status: int, *, code: str = "some_code", headers: dict[str, str] | None = None) -> httpx.Response:
    """An error as our server writes it."""
    error = {"code": code, "message": "a sentence", "param": None}
    return httpx.Response(status, json={"code": code, "error": error}, headers=headers)
