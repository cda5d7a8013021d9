"""Send a webcam, a video file or a stream to Okapia's gateway; show, write or print what it sees.

It needs `httpx` and `opencv-python` (or `opencv-python-headless`, which has no windows), and nothing of
Okapia: the server may be any that speaks mlapi's contract. How to use it: docs/how-to/stream.md.
"""

import json
import os
import re
import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import cv2
import httpx
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (height, width, 3), blue first, as OpenCV has it
Frame = tuple[int, Pixels]  # with its place in the source, from 0
LONGEST_WAIT_S, PATIENCE_S = 30.0, 300.0
GREEN, BLACK = (0, 200, 0), (0, 0, 0)
TITLE = "Okapia (q ends)"


class StreamError(Exception):
    """What ends the program; the message is for its user."""


class Busy(StreamError):
    """The server cannot answer now; it may have said for how long."""

    def __init__(self, why: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Finding:
    """A box of x1, y1, x2, y2 in pixels of the picture that was sent; `item` is all of it, as it came."""

    caption: str
    box: tuple[int, int, int, int]
    item: object

    @classmethod
    def read(cls, item: object) -> "Finding":
        """Read an item of an answer; mlapi's first version has the label in `type`, and no `label`."""
        match item:
            case {"type": kind, "confidence": sure, "box": [int(x1), int(y1), int(x2), int(y2)], **more}:
                gender = [more[key] for key in ("gender", "gender_confidence") if key in more]
                words = map(str, (more.get("label", kind), sure, *gender))
                return cls(" ".join(words), (x1, y1, x2, y2), item)
        raise StreamError(f"expected type, confidence and box, got {str(item)[:200]}")


class Gateway:
    """A server that speaks mlapi's contract; logs in by itself, and again when the token has ended."""

    def __init__(self, url: str, query: Mapping[str, str], *, account: Mapping[str, str] | None) -> None:
        base_url = url.rstrip("/").removesuffix("/api/v1") + "/api/v1"
        self._http = httpx.Client(base_url=base_url, params=query, timeout=60)
        self._account = account

    def look(self, pixels: Pixels) -> list[Finding]:
        """Give what the server sees in a picture; raises Busy, or StreamError where waiting does not help."""
        jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        try:
            items = answer_of(self._detect(jpeg))
        except httpx.TransportError as error:
            raise Busy(f"no answer from the server: {error}") from error
        except ValueError as error:
            raise StreamError("expected JSON: is this a gateway?") from error
        if not isinstance(items, list):
            raise StreamError(f"expected a list of boxes, got {str(items)[:200]}")
        return [Finding.read(item) for item in items]

    def _detect(self, jpeg: bytes) -> httpx.Response:
        parts = {"file": ("image.jpg", jpeg, "image/jpeg")}
        if self._account and "Authorization" not in self._http.headers:
            self._log_in(self._account)
        response = self._http.post("/detect/object", files=parts)
        # A token that has ended is 401, one that the server does not know is 422.
        if self._account and response.status_code in {401, 422}:
            self._log_in(self._account)
            response = self._http.post("/detect/object", files=parts)
        return response

    def _log_in(self, account: Mapping[str, str]) -> None:
        answer = answer_of(self._http.post("/login", json=account))
        if not isinstance(answer, dict) or "access_token" not in answer:
            raise StreamError("expected an access_token from /login: is this a gateway?")
        self._http.headers["Authorization"] = f"Bearer {answer['access_token']}"


def answer_of(response: httpx.Response) -> object:
    """Give the JSON of an answer; raises what `Gateway.look` does, and ValueError where it is none."""
    why = f"the server said {response.status_code}: {response.text[:200].strip()}"
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
        asked = response.headers.get("Retry-After", "")
        raise Busy(why, retry_after_s=float(asked) if asked.isdecimal() else 0.0)
    if not response.is_success:
        raise StreamError(why)
    return response.json()


class Source:
    """A webcam by its number, a file, or a URL; live where it has no known end.

    Of a file every frame is given. Of a live source it is the newest: a thread reads on, whatever the server
    takes, and opens the source again when it breaks off.
    """

    def __init__(self, name: str, *, width: int) -> None:
        self.name = re.sub(r"//[^/@]*@", "//", name).partition("?")[0]  # URLs of cameras hold passwords
        self._target = int(name) if name.isdecimal() else name
        self._capture = cv2.VideoCapture(self._target)
        if not self._capture.isOpened():
            raise StreamError(f"cannot open {self.name}")
        given_width, height = map(self._capture.get, (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        scale = min(1.0, width / given_width)
        self.size = (round(given_width * scale), max(1, round(height * scale)))
        self.fps = fps if 1 <= (fps := self._capture.get(cv2.CAP_PROP_FPS)) <= 240 else 25.0
        self.n_frames = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.is_live = name.isdecimal() or ("://" in name and not self.n_frames)
        self._newest: deque[Frame] = deque(maxlen=1)
        self._is_closed = Event()

    def frames(self) -> Generator[Frame]:
        if not self.is_live:
            yield from self._read(0)
            return
        reader = Thread(target=self._keep_newest, daemon=True)
        reader.start()
        try:
            while True:
                if self._newest:
                    yield self._newest.popleft()
                time.sleep(0.002)
        finally:
            self._is_closed.set()
            reader.join(timeout=2)  # a thread within OpenCV at the end of Python aborts the program

    def _read(self, index: int) -> Iterator[Frame]:
        while (read := self._capture.read())[0]:
            yield index, np.asarray(cv2.resize(read[1], self.size, interpolation=cv2.INTER_AREA), np.uint8)
            index += 1

    def _keep_newest(self) -> None:
        index, wait_s = 0, 0.0
        while not self._is_closed.wait(wait_s):
            self._capture = cv2.VideoCapture(self._target) if wait_s else self._capture
            for newest in self._read(index):
                index, wait_s = newest[0] + 1, 0.0
                self._newest.append(newest)
                if self._is_closed.is_set():
                    return
            wait_s = min(max(0.5, 2 * wait_s), LONGEST_WAIT_S)
            say(f"{self.name} broke off; opening it again in {wait_s:g} s")


def answers(source: Source, gateway: Gateway, *, every: int) -> Generator[tuple[Frame, list[Finding], bool]]:
    """Give every frame, the boxes of the last answer, and whether that is about this very frame.

    A file waits for a busy server that says how long, 5 minutes at most. A live source goes on, and is asked
    about later.
    """
    findings: list[Finding] = []
    next_index, resume_at, waited_s = 0, 0.0, 0.0
    for index, pixels in source.frames():
        is_new = False
        while not is_new and index >= next_index and time.monotonic() >= resume_at:
            try:
                findings, is_new = gateway.look(pixels), True
                next_index, waited_s = index + every, 0.0
            except Busy as busy:
                wait_s = max(busy.retry_after_s, min(max(0.5, waited_s), LONGEST_WAIT_S))
                waited_s += wait_s
                if not source.is_live and (not busy.retry_after_s or waited_s > PATIENCE_S):
                    raise
                say(f"{busy}; asking again in {wait_s:g} s")
                findings, resume_at = [], time.monotonic() + wait_s
                time.sleep(0 if source.is_live else wait_s)
        yield (index, pixels), findings, is_new


def open_film(film: cv2.VideoWriter, path: Path, source: Source) -> None:
    if path.resolve() == Path(source.name).resolve():
        raise StreamError(f"expected an output that is not the source, got {path}")
    codec = cv2.VideoWriter.fourcc(*("MJPG" if path.suffix.lower() == ".avi" else "mp4v"))
    if not film.open(str(path), codec, source.fps, source.size):
        raise StreamError(f"cannot write {path}: expected a name that ends in .mp4 or .avi")
    say(f"writing {path}")


def draw(findings: Sequence[Finding], pixels: Pixels) -> None:
    """Draw boxes; the caption stands above its box, or in it where there is no room above."""
    for finding in findings:
        x1, y1, x2, y2 = finding.box
        (width, height), _ = cv2.getTextSize(finding.caption, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
        bottom = y1 if y1 >= height + 8 else y1 + height + 8
        cv2.rectangle(pixels, (x1, y1), (x2, y2), GREEN, 2)
        cv2.rectangle(pixels, (x1, bottom - height - 8), (x1 + width + 6, bottom), GREEN, cv2.FILLED)
        cv2.putText(pixels, finding.caption, (x1 + 3, bottom - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.5, BLACK)


def opens_window() -> bool:
    """Open a window, if there is a screen and OpenCV can."""
    has_screen = sys.platform in {"win32", "darwin"} or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    try:
        if has_screen:
            cv2.namedWindow(TITLE)
    except cv2.error:
        say("this OpenCV has no windows: install opencv-python in place of opencv-python-headless")
        return False
    return bool(has_screen)


def shows(pixels: Pixels) -> bool:
    """Show a picture, and say whether the window is to stay."""
    cv2.imshow(TITLE, pixels)
    return cv2.waitKey(1) & 0xFF != ord("q") and cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) > 0


def watch(source: Source, gateway: Gateway, film: cv2.VideoWriter, *, options: Namespace, sees: bool) -> None:
    """Go through the source to its end, or that of the window; frames left out are filled up in the film."""
    n_frames = 0
    with closing(answers(source, gateway, every=options.every)) as answered:
        for (index, pixels), findings, is_new in answered:
            if is_new and options.json:
                boxes = [finding.item for finding in findings]
                print(json.dumps({"frame": index, "time_s": index / source.fps, "boxes": boxes}), flush=True)
            draw(findings, pixels)
            for _ in range(n_frames, index + 1):
                film.write(pixels)
            n_frames = index + 1
            if sys.stderr.isatty():
                say(f"frame {n_frames} of {source.n_frames or 'many'}, {len(findings)} boxes", end="")
            if sees and not shows(pixels):
                return
    if not n_frames:
        raise StreamError(f"cannot read a frame of {source.name}")


def say(text: str, *, end: str = "\n") -> None:
    """Write for people, over the line of progress."""
    start = "\r\033[K" if sys.stderr.isatty() else ""
    print(start + text, end=end, file=sys.stderr, flush=True)


def options_given() -> Namespace:
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("source", help="number of a webcam, path of a video, or URL")
    add("--url", default="http://127.0.0.1:8000", help="of the server: %(default)s")
    add("--user", help="account on the server; its password is in OKAPIA_PASSWORD")
    add("--password-stdin", action="store_true", help="or read it from standard input")
    add("--type", choices=("object", "face"), default="object", help="what to look for: %(default)s")
    add("--gender", action="store_true", help="of faces")
    add("--every", type=int, default=5, metavar="N", help="ask about every Nth frame: %(default)s")
    add("--width", type=int, default=800, metavar="PX", help="shrink wider frames to: %(default)s")
    add("--output", type=Path, metavar="FILE", help=".mp4 or .avi; SOURCE-boxes.mp4 where there is no window")
    add("--no-window", action="store_true", help="show nothing")
    add("--json", action="store_true", help="print a line of JSON an answer")
    return parser.parse_args()


def main() -> None:
    options = options_given()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a film that is not finished cannot be opened
    query = {"type": options.type, "delete": "true"} | ({"gender": "true"} if options.gender else {})
    secret = sys.stdin.readline() if options.password_stdin else os.environ.get("OKAPIA_PASSWORD", "")
    account = {"username": options.user, "password": secret.rstrip("\r\n")} if options.user else None
    film = cv2.VideoWriter()
    try:
        source = Source(options.source, width=options.width)
        gateway = Gateway(options.url, query, account=account)
        sees = not options.no_window and opens_window()
        path = options.output or (None if sees else Path(f"{Path(source.name).stem}-boxes.mp4"))
        if path:
            open_film(film, path, source)
        watch(source, gateway, film, options=options, sees=sees)
    except StreamError as error:
        sys.exit(f"stream: {error}")
    except KeyboardInterrupt:
        pass
    finally:
        film.release()
        say("ended")


if __name__ == "__main__":
    main()
