"""What the routes of video gateways add to inference, in CPU time of the server: goal under 3 ms a call.

A picture of 640 pixels through DeepStack's and pyzm's routes of the real application, around a service that
answers at once with one box: what is left is what the door, the form and the answer cost. On a server
without users, and on one with a user, by a key: in DeepStack's form field, as bearer at pyzm. pyzm's clients
send PNG, which is five times a JPEG: that arm is there to be seen, the goal is about the JPEG.

    python benchmarks/gateways.py [--rounds 5] [--calls 300] [--pictures DIR]
"""

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
import psutil
from corpus import make_corpus
from harness import write
from PIL import Image
from server import NullService, process, serve

from okapia.accounts.passwords import hash_password
from okapia.app import build_app
from okapia.cli.accounts_desk import open_accounts
from okapia.cli.logs import configure_logs
from okapia.domain.callers import Role
from okapia.models.tuning import machine_name
from okapia.settings import Settings, load_settings

GOAL_MS = 3.0
SIDE = 640
CALLERS = 2


@dataclass(frozen=True, slots=True)
class Arm:
    """One kind of call."""

    name: str
    path: str
    picture: tuple[str, bytes]
    fields: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> tuple[bytes, dict[str, str]]:
        """Write the form once; gives it with its headers."""
        form = httpx.Request("POST", "http://okapia", data=self.fields, files={"image": self.picture})
        return form.read(), {**self.headers, "content-type": form.headers["content-type"]}


def arms(jpeg: bytes, png: bytes, *, key: str = "") -> list[Arm]:
    """Give the calls that are measured on a server, with a key where one is needed."""
    frame, lossless = ("image.jpg", jpeg), ("frame.png", png)
    bearer = {"Authorization": f"Bearer {key}"} if key else {}
    field_key = {"api_key": key} if key else {}
    infer = {"type": "object", "name": "", "min_confidence": "0.3"}
    who = "a key" if key else "no users"
    return [
        Arm(f"DeepStack, JPEG, {who}", "/v1/vision/detection", frame, {**field_key, "min_confidence": "0.4"}),
        Arm(f"pyzm, JPEG, {who}", "/infer", frame, infer, bearer),
        Arm(f"pyzm, PNG, {who}", "/infer", lossless, infer, bearer),
    ]


def cost(pid: int, port: int, arm: Arm, *, calls: int) -> float:
    """CPU ms that the server takes for one of `calls`, two at a time.

    Raises:
        httpx.HTTPStatusError: an answer was not 200.
    """
    body, headers = arm.body()
    watched = psutil.Process(pid)

    def caller(n: int) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            for _ in range(n):
                client.post(arm.path, content=body, headers=headers).raise_for_status()

    before = watched.cpu_times()
    with ThreadPoolExecutor(CALLERS) as threads:
        for done in [threads.submit(caller, calls // CALLERS) for _ in range(CALLERS)]:
            done.result()
    after = watched.cpu_times()
    return (after.user + after.system - before.user - before.system) * 1000 / (calls // CALLERS * CALLERS)


def measure(jpeg: bytes, png: bytes, *, rounds: int, calls: int) -> list[dict[str, float | str]]:
    """CPU ms of each arm, the median of the rounds; a first round warms up and is left out."""
    costs: dict[str, list[float]] = {}
    with (
        TemporaryDirectory() as bare_home,
        TemporaryDirectory() as staffed_home,
        process([__file__, "--null"], OKAPIA_BENCH_HOME=bare_home) as (bare, bare_port),
    ):
        key = add_user(Path(staffed_home))
        with process([__file__, "--null"], OKAPIA_BENCH_HOME=staffed_home) as (staffed, staffed_port):
            sites = [
                *((bare.pid, bare_port, arm) for arm in arms(jpeg, png)),
                *((staffed.pid, staffed_port, arm) for arm in arms(jpeg, png, key=key)),
            ]
            for _ in range(rounds + 1):
                for pid, port, arm in sites:
                    costs.setdefault(arm.name, []).append(cost(pid, int(port), arm, calls=calls))
    return [{"arm": name, "cpu_ms": median(values[1:])} for name, values in costs.items()]


def settings_of(home: Path) -> Settings:
    """Give a server's settings: a database of its own, whatever is set outside."""
    return load_settings(home=home, database=f"sqlite:///{home}/okapia.db")


def add_user(home: Path) -> str:
    """Make a home with a user; gives a key."""
    accounts = open_accounts(settings_of(home))
    with closing(accounts.database), accounts.database.write() as connection:
        hashed = hash_password("a benchmark's own")
        user = accounts.users.add(
            connection, "ada", role=Role.ADMIN, plan="unlimited", password_hash=hashed, actor=""
        )
        return accounts.keys.mint(connection, user, name="benchmark", actor="").text


def frames(pictures: Path | None) -> tuple[bytes, bytes]:
    """Give one picture of 640 pixels, as a JPEG of quality 90 and as PNG."""
    with make_corpus(1, pictures=pictures) as [file], Image.open(file) as image:
        image.thumbnail((SIDE, SIDE))
        return _encoded(image, "JPEG", quality=90), _encoded(image, "PNG", quality=0)


def _encoded(image: Image.Image, kind: str, *, quality: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, quality=quality)
    return buffer.getvalue()


def report(rows: Sequence[dict[str, float | str]], *, jpeg: bytes, png: bytes) -> None:
    """Print a table and write the figures down."""
    print(f"\non {machine_name()}; JPEG {len(jpeg) / 1000:.0f} kB, PNG {len(png) / 1000:.0f} kB")
    for row in rows:
        print(f"{row['arm']:28} {row['cpu_ms']:6.2f} CPU ms a call")
    print(f"goal for a JPEG: {GOAL_MS:.0f} ms")
    write("gateways", {"jpeg_bytes": len(jpeg), "png_bytes": len(png), "rows": list(rows)})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=300, help="of each kind in a round")
    parser.add_argument("--pictures", type=Path, help="real pictures to make the frame from")
    parser.add_argument("--null", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    configure_logs("warning")
    if options.null:
        serve(build_app(settings_of(Path(os.environ["OKAPIA_BENCH_HOME"])), NullService()))
        return
    jpeg, png = frames(options.pictures)
    rows = measure(jpeg, png, rounds=options.rounds, calls=options.calls)
    report(rows, jpeg=jpeg, png=png)


if __name__ == "__main__":
    main()
