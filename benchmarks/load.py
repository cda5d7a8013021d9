"""A small HTTP load generator: threads, keep-alive, one POST a picture, latencies per request."""

import http.client
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from statistics import quantiles

BOUNDARY = "okapia-benchmark"


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a burst of requests took.

    Attributes:
        latencies: seconds of each request, sorted.
        seconds: from the first request to the last answer.
    """

    latencies: list[float]
    seconds: float

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, percent: int) -> float:
        """Give the latency in seconds that `percent` of the requests did not exceed."""
        return quantiles(self.latencies, n=100, method="inclusive")[percent - 1]


def multipart_body(data: bytes) -> tuple[bytes, str]:
    """Wrap a picture as the form field `image`; gives the body and its content type."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, f"multipart/form-data; boundary={BOUNDARY}"


def fire(
    port: int, path: str, bodies: list[tuple[bytes, str]], *, requests: int, concurrency: int
) -> LoadResult:
    """Send `requests` POSTs, `concurrency` at a time, the bodies in turn.

    Raises:
        RuntimeError: an answer was not 200; the message quotes it.
    """
    places: SimpleQueue[int] = SimpleQueue()
    for place in range(requests):
        places.put(place)
    latencies: list[float] = []
    failures: list[str] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        while True:
            try:
                body, content_type = bodies[places.get_nowait() % len(bodies)]
            except Empty:
                break
            started = time.perf_counter()
            connection.request("POST", path, body, {"Content-Type": content_type})
            answer = connection.getresponse()
            text = answer.read()
            latencies.append(time.perf_counter() - started)
            if answer.status != http.client.OK:
                failures.append(f"{answer.status} {text[:200]!r}")
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(concurrency)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    if failures:
        raise RuntimeError(f"{len(failures)} requests failed, the first with {failures[0]}")
    return LoadResult(sorted(latencies), seconds)


def pictures(folder: Path) -> list[bytes]:
    """Read the JPEG files of a folder, in order."""
    return [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
