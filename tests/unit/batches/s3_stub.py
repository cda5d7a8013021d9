"""A server that speaks as much S3 as reading somebody's bucket takes, and lies where a test tells it to."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from okapia.storage.cloud import CloudPictures, open_pictures
from okapia.storage.cloud_address import CloudAddress
from okapia.storage.cloud_secret import AccessKey

_MOMENT = "Sat, 21 Nov 2026 10:40:55 GMT"


@dataclass
class Bucket:
    """What is served.

    Attributes:
        blobs: by key.
        cut: keys, and how many bytes of each are sent, as if they were all.
        refuses: of ten requests, those that are answered with 503.
    """

    url: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    refuses: frozenset[int] = frozenset()
    requests: int = 0

    def pictures(self) -> CloudPictures:
        address = CloudAddress.parse(f"s3://pictures?endpoint={self.url}")
        return open_pictures(address, AccessKey("lynx", "serval"), patience_s=1)


@contextmanager
def serving(blobs: Mapping[str, bytes]) -> Iterator[Bucket]:
    """Serve these blobs; a test may change them."""
    bucket = Bucket(blobs=dict(blobs))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            bucket.requests += 1
            if bucket.requests % 10 in bucket.refuses:
                self.send_error(503)
                return
            url = urlsplit(self.path)
            key = unquote(url.path).removeprefix("/pictures").removeprefix("/")
            if not key:
                self._send(_page(bucket.blobs), "")
            elif key in bucket.blobs:
                data = bucket.blobs[key]
                self._send(data[: bucket.cut.get(key)], _etag(data))
            else:
                self.send_error(404)

        def do_HEAD(self) -> None:
            data = bucket.blobs[unquote(urlsplit(self.path).path).removeprefix("/pictures/")]
            self._head(len(data), _etag(data))

        def do_PUT(self) -> None:
            key = unquote(urlsplit(self.path).path).removeprefix("/pictures/")
            bucket.blobs[key] = self.rfile.read(int(self.headers["Content-Length"]))
            self._head(0, _etag(bucket.blobs[key]))

        def _send(self, body: bytes, etag: str) -> None:
            self._head(len(body), etag)
            self.wfile.write(body)

        def _head(self, length: int, etag: str) -> None:
            self.send_response(200)
            self.send_header("Content-Length", f"{length}")
            self.send_header("Last-Modified", _MOMENT)
            self.send_header("ETag", etag)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _page(blobs: Mapping[str, bytes]) -> bytes:
    rows = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size><ETag>{escape(_etag(data))}</ETag>"
        "<LastModified>2026-11-21T10:40:55.000Z</LastModified></Contents>"
        for key, data in sorted(blobs.items())
    )
    return f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()


def _etag(data: bytes) -> str:
    return f'"{md5(data, usedforsecurity=False).hexdigest()}"'
