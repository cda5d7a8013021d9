"""Five hundred clients at once on paid calls: what they are answered, and whether the ledger adds up.

Each client has its own connection and sends the same picture again and again, with a new idempotency key each
time; after a 503 or 429 it waits as long as `Retry-After` says. Afterwards every answer is held against the
ledger: so many pictures answered, so many credits gone.

    python benchmarks/crowd.py [--clients 500] [--seconds 60] [--picture FILE]
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from harness import write
from load import multipart_body
from sqlalchemy import func, select

from okapia.accounts.recount import check
from okapia.database.engine import Database
from okapia.database.tables import billing, credit_entries, open_holds
from okapia.settings import load_settings

CREDITS = 1_000_000
PLANS = {"metered": {"included": 0}}


@dataclass(slots=True)
class Answers:
    """What the clients were answered.

    Attributes:
        lost: connections that ended without an answer.
        unexplained: answers that say "not now" without saying when.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    lost: int = 0
    unexplained: int = 0


@contextmanager
def paid_server(folder: Path) -> Iterator[tuple[int, str, str, int]]:
    """Start the real server with one account; gives its port, the key, the database's address, its pid."""
    address = f"sqlite:///{folder}/okapia.db"
    environment = os.environ | {"OKAPIA_DATABASE": address, "OKAPIA_PLANS": json.dumps(PLANS)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "okapia", *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    run("users", "add", "ada", "--role", "admin", "--plan", "metered")
    run("credits", "grant", "ada", str(CREDITS))
    key = json.loads(run("keys", "create", "--name", "crowd", "--json"))["key"]
    command = [sys.executable, "-m", "okapia", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = next(word for word in server.stdout.readline().split() if word.startswith("http"))
        yield int(url.rpartition(":")[2]), key, address, server.pid
        server.terminate()


async def client(port: int, key: str, body: tuple[bytes, str], answers: Answers, *, ends_at: float) -> None:
    """Send until the time is over, on a new connection after each pause."""
    while time.monotonic() < ends_at:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        wait_s = 0.0
        try:
            while not wait_s and time.monotonic() < ends_at:
                wait_s = await one_call(reader, writer, key, body, answers)
        except (ConnectionError, asyncio.IncompleteReadError):
            answers.lost += 1
        finally:
            writer.close()
        await asyncio.sleep(min(wait_s, max(0.0, ends_at - time.monotonic())))


async def one_call(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    key: str,
    body: tuple[bytes, str],
    answers: Answers,
) -> float:
    """Send the picture once and note the answer; gives the seconds to wait after it."""
    data, content_type = body
    started = time.perf_counter()
    head = (
        f"POST /v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Idempotency-Key: {os.urandom(12).hex()}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    writer.write(head.encode() + data)
    await writer.drain()
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    await reader.readexactly(int(headers["content-length"]))
    status = int(lines[0].split()[1])
    answers.statuses[status] += 1
    answers.latencies.append(time.perf_counter() - started)
    if status in {429, 503}:
        answers.unexplained += "retry-after" not in headers
        return float(headers.get("retry-after", 1))
    return 0.0


async def crowd(port: int, key: str, body: tuple[bytes, str], *, clients: int, seconds: float) -> Answers:
    """Let all of them send at once."""
    answers = Answers()
    ends_at = time.monotonic() + seconds
    await asyncio.gather(*(client(port, key, body, answers, ends_at=ends_at) for _ in range(clients)))
    return answers


def books(address: str) -> dict[str, int]:
    """Add the ledger up from its rows."""
    database = Database.open(address)
    with database.read() as connection:
        found = {
            "settled": select(func.sum(credit_entries.c.images)).where(credit_entries.c.kind == "settle"),
            "left": select(func.sum(billing.c.top_up)),
            "open": select(func.count()).select_from(open_holds),
        }
        counted = {name: int(connection.execute(query).scalar_one() or 0) for name, query in found.items()}
        counted["mistakes"] = len(list(check(connection)))
    database.close()
    return counted


def main() -> None:
    """Run it, print what came of it, and fail when a credit was lost or doubled."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    arguments.add_argument("--clients", type=int, default=500)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--picture", type=Path, default=load_settings().home / "samples" / "cat.png")
    asked = arguments.parse_args()
    body = multipart_body(asked.picture.read_bytes())
    with TemporaryDirectory() as folder, paid_server(Path(folder)) as (port, key, address, pid):
        answers = asyncio.run(crowd(port, key, body, clients=asked.clients, seconds=asked.seconds))
        memory = psutil.Process(pid).memory_info().rss
        counted = books(address)
    figures: dict[str, object] = {
        "clients": asked.clients,
        "seconds": asked.seconds,
        "statuses": dict(answers.statuses),
        "answers_per_second": sum(answers.statuses.values()) / asked.seconds,
        "pictures_per_second": answers.statuses[200] / asked.seconds,
        "lost_connections": answers.lost,
        "not_now_without_when": answers.unexplained,
        "server_memory_mb": round(memory / 1e6),
        **counted,
    }
    for name, value in figures.items():
        print(f"{name:22} {value}")
    write("crowd", figures)
    # A client that goes away in the end may have been answered without seeing it.
    assert answers.statuses[200] <= counted["settled"] <= answers.statuses[200] + answers.lost
    assert counted["left"] == CREDITS - counted["settled"]
    assert counted["mistakes"] == 0
    assert not any(status >= 500 and status != 503 for status in answers.statuses)
    assert answers.unexplained == 0


if __name__ == "__main__":
    main()
