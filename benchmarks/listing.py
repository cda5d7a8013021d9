"""How long it takes to find out what a batch is about: goal 1 M keys of a stub S3 within 10 s, memory flat.

The server, a process of its own, sends ready-made pages of 1,000 keys: what is measured is the client, from
the socket to the items of a batch that passed its selection. Two more arms read a list of as many names, as
JSON pairs and as text: from its bytes to items that are written into parts of a list and read back.

    python benchmarks/listing.py [--keys 1000000] [--rounds 3]
"""

import argparse
import multiprocessing
import resource
import socketserver
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

from harness import write

from okapia.batches.cloud_source import CloudSource
from okapia.batches.folder_source import FolderSource
from okapia.batches.items import Item
from okapia.batches.kept_list import keep, kept
from okapia.batches.list_source import ListSource, parse_list
from okapia.batches.selection import Selection
from okapia.batches.url_source import listed_item
from okapia.models.tuning import machine_name
from okapia.storage.cloud import open_pictures
from okapia.storage.cloud_address import CloudAddress
from okapia.storage.cloud_secret import AccessKey
from okapia.storage.folder_blobs import FolderBlobs
from okapia.storage.secrets import Vault

GOAL_S = 10.0
PAGE = 1000
_ROW = (
    "<Contents><Key>{key}</Key><LastModified>2026-11-21T10:40:55.000Z</LastModified>"
    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>2400000</Size></Contents>"
)

Arm = Callable[[], Iterator[Item]]


@dataclass(frozen=True, slots=True)
class Listing:
    """One listing.

    Attributes:
        grown_mb: by which the process's peak grew while it listed.
    """

    wall_s: float
    cpu_s: float
    grown_mb: float


def measured(arm: Arm, *, keys: int) -> Listing:
    """List once, and check that all were found."""
    before = _peak_mb()
    wall, cpu = time.perf_counter(), time.process_time()
    found = sum(1 for _ in Selection().of(arm()))
    listing = Listing(time.perf_counter() - wall, time.process_time() - cpu, _peak_mb() - before)
    assert found == keys, f"expected {keys:,} pictures, found {found:,}"
    return listing


def name(number: int) -> str:
    return f"survey/camera-{number // 5000:04}/RCNX{number:08}.JPG"


def s3(url: str) -> Arm:
    """List a bucket."""
    address = CloudAddress.parse(f"s3://pictures?endpoint={url}")
    pictures = open_pictures(address, AccessKey("lynx", "serval"))
    return CloudSource(lambda: pictures, max_bytes=1).items


def listed(chunks: Callable[[], Iterable[bytes]], folder: Path) -> Arm:
    """Keep a list as a request's is kept, and read it back."""
    blobs, vault = FolderBlobs(folder / "blobs"), Vault(bytes(32))

    def items() -> Iterator[Item]:
        key = keep(blobs, "b0b1", (listed_item(entry, vault) for entry in parse_list(chunks())))
        place = FolderSource(folder, max_bytes=1)
        return ListSource(place, lambda: kept(blobs, key)).items()

    return items


def as_pairs(keys: int) -> Iterator[bytes]:
    yield b"["
    for first in range(0, keys, PAGE):
        rows = ",".join(f'["{name(number)}","subject {number}"]' for number in range(first, first + PAGE))
        yield rows.encode() + (b"," if first + PAGE < keys else b"]")


def as_text(keys: int) -> Iterator[bytes]:
    for first in range(0, keys, PAGE):
        yield "".join(f"{name(number)}\n" for number in range(first, first + PAGE)).encode()


def answer_pages(keys: int, ready: Connection) -> None:
    """Be the server: page `n` is asked for with the token `n`."""
    pages = [_page(first, keys) for first in range(0, keys, PAGE)]

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                while self.rfile.readline() not in {b"\r\n", b""}:
                    pass
                token = parse_qs(urlsplit(line.split()[1].decode()).query).get("continuation-token", ["0"])
                self.wfile.write(pages[int(token[0])])

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        ready.send(server.server_address[1])
        server.serve_forever()


def _page(first: int, keys: int) -> bytes:
    number = first // PAGE + 1
    rows = "".join(_ROW.format(key=name(place)) for place in range(first, min(first + PAGE, keys)))
    more = f"<NextContinuationToken>{number}</NextContinuationToken>" if first + PAGE < keys else ""
    is_cut = "true" if more else "false"
    body = f"<ListBucketResult><IsTruncated>{is_cut}</IsTruncated>{more}{rows}</ListBucketResult>".encode()
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def stub(keys: int) -> Iterator[str]:
    """Run the server; gives its URL."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=answer_pages, args=(keys, there))
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure, print, write `results/listing.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000, help="a multiple of 1,000")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    keys: int = options.keys
    with stub(keys) as url, TemporaryDirectory() as folder:
        arms: dict[str, Arm] = {
            "S3": s3(url),
            "list of pairs": listed(lambda: as_pairs(keys), Path(folder)),
            "list as text": listed(lambda: as_text(keys), Path(folder)),
        }
        rounds = [{arm: measured(arms[arm], keys=keys) for arm in arms} for _ in range(options.rounds)]
    print(f"{keys:,} keys, {options.rounds} rounds on {machine_name()}")
    rows = {}
    for arm in arms:
        walls, cpus = ([getattr(one[arm], part) for one in rounds] for part in ("wall_s", "cpu_s"))
        grown = max(one[arm].grown_mb for one in rounds)
        rows[arm] = {"wall_s": median(walls), "cpu_s": median(cpus), "us_cpu": median(cpus) / keys * 1e6}
        rows[arm]["grown_mb"] = grown
        print(f"{arm:14} {median(walls):6.1f} s, CPU {median(cpus):6.1f} s, peak grew by {grown:4.0f} MB")
    verdict = "reached" if rows["S3"]["wall_s"] <= GOAL_S else "MISSED"
    print(f"goal: {GOAL_S:g} s for 1 M keys of S3: {verdict}")
    write("listing", {"keys": keys, "rows": rows})


if __name__ == "__main__":
    main()
