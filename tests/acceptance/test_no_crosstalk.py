"""Two people who call one server at once through four contracts: each gets the answers to what they asked.

Every picture has its box somewhere else, and the networks look, so that an answer tells whose it is.
"""

import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from PIL import Image

from okapia.accounts.passwords import hash_password
from okapia.app import build_app
from okapia.cli.accounts_desk import Accounts, open_accounts
from okapia.domain.callers import Role
from okapia.settings import Settings
from tests.ledger_books import assert_balanced
from tests.networks import SCORE
from tests.unit.dialects.watchers import PASSWORD, gateway_service

CALLS = 1_000
SIDE = 64
"""Of the pictures, as of the networks' canvas: a box comes back to the pixel."""

Answer = tuple[str, tuple[int, ...]] | None
"""Label and corners in pixels; None where nothing was confident enough."""

COLOURS = {"red fox": (255, 140, 140), "brown bear": (140, 255, 140), "domestic cat": (140, 140, 255)}


@dataclass(frozen=True, slots=True)
class Sent:
    """The picture of a call: its bright box lies where no other call's does."""

    number: int

    @property
    def species(self) -> str:
        return list(COLOURS)[self.number % 3]

    @property
    def box(self) -> tuple[int, int, int, int]:
        x, y = self.number % 32, self.number // 32
        return (x, y, x + 20, y + 24)

    @property
    def png(self) -> bytes:
        image = Image.new("RGB", (SIDE, SIDE))
        image.paste(COLOURS[self.species], self.box)
        out = io.BytesIO()
        image.save(out, "PNG")
        return out.getvalue()


@dataclass(frozen=True, slots=True)
class Way:
    """A way of calling, with settings of its own.

    Attributes:
        sees: what its models call the box; "species" for what its colour says, "" for nothing at all.
        read: takes the call's answer apart.
    """

    path: str
    field: str
    sees: str
    read: Callable[[httpx.Response], Answer]
    form: dict[str, str]

    def expected(self, sent: Sent) -> Answer:
        if not self.sees:
            return None
        return (sent.species if self.sees == "species" else self.sees, sent.box)


# --- the four contracts -------------------------------------------------------------------


def read_mlapi(response: httpx.Response) -> Answer:
    for item in response.json():
        assert item["confidence"] == f"{SCORE:.2%}"
        return item["label"], tuple(item["box"])
    return None


def read_mlapi_with_gender(response: httpx.Response) -> Answer:
    assert all("gender" in item for item in response.json())
    return read_mlapi(response)


def read_zm_detect(response: httpx.Response) -> Answer:
    matched = response.json()["matched_data"]
    assert matched["image_dimensions"]["original"] == [SIDE, SIDE]
    return (matched["labels"][0], tuple(matched["boxes"][0])) if matched["labels"] else None


def read_infer(response: httpx.Response) -> Answer:
    answer = response.json()
    assert answer["error"] is None
    for item in answer["detections"]:
        return item["label"], tuple(item["box"])
    return None


def read_deepstack(response: httpx.Response) -> Answer:
    for item in response.json()["predictions"]:
        return item["label"], tuple(item[side] for side in ("x_min", "y_min", "x_max", "y_max"))
    return None


def read_native(response: httpx.Response) -> Answer:
    answer = response.json()
    for item in answer.get("annotations", answer.get("detections", ())):
        x, y, width, height = (round(side * SIDE) for side in item["bbox"])
        return item["label"], (x, y, x + width, y + height)
    return None


def mlapi(query: str, *, sees: str, read: Callable[[httpx.Response], Answer] = read_mlapi) -> Way:
    return Way(f"/api/v1/detect/object?delete=true&{query}", "file", sees, read, {})


def infer(kind: str, name: str, confidence: str, *, sees: str) -> Way:
    form = {"type": kind, "name": name, "min_confidence": confidence}
    return Way("/infer", "image", sees, read_infer, form)


def deepstack(path: str, confidence: str, *, sees: str) -> Way:
    return Way(f"/v1/vision/{path}", "image", sees, read_deepstack, {"min_confidence": confidence})


def native(path: str, threshold: str, *, sees: str) -> Way:
    return Way(path, "image", sees, read_native, {"threshold": threshold})


BOLD = (
    mlapi("type=object", sees="person"),
    infer("object", "guard", "0.2", sees="person"),
    deepstack("detection", "0.3", sees="person"),
    native("/v1/detect", "0.4", sees="species"),
    mlapi("type=face&gender=true", sees="face", read=read_mlapi_with_gender),
    infer("face", "looker", "0.5", sees="face"),
    deepstack("custom/stoat", "0.6", sees="animal"),
    native("/v1/filter", "0.7", sees="animal"),
)
"""What one of the two asks for: much, and with little confidence."""

SHY = (
    infer("object", "stoat", "0.9", sees=""),
    mlapi("type=face&response_format=zm_detect", sees="face", read=read_zm_detect),
    deepstack("face", "0.85", sees="face"),
    native("/v1/detect", "0.95", sees=""),
    infer("object", "stoat", "0.86", sees="animal"),
    mlapi("type=object&response_format=zm_detect", sees="person", read=read_zm_detect),
    deepstack("custom/guard", "0.88", sees=""),
    native("/v1/filter", "0.8", sees="animal"),
)
"""What the other does: with so much that half of what is seen is too little."""


# --- the server ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class House:
    """A server on a port of its own, and the accounts behind it."""

    url: str
    accounts: Accounts

    def token_of(self, name: str) -> str:
        """Log somebody in, as a gateway's client does."""
        answer = httpx.post(f"{self.url}/api/v1/login", json={"username": name, "password": PASSWORD})
        return str(answer.raise_for_status().json()["access_token"])

    def key_of(self, name: str) -> str:
        with self.accounts.database.write() as connection:
            user = self.accounts.users.by_name(connection, name)
            return self.accounts.keys.mint(connection, user, name="camera", actor="a test").text

    def used(self, name: str) -> int:
        """Give the credits that somebody has spent."""
        with self.accounts.database.read() as connection:
            user = self.accounts.users.by_name(connection, name)
            return self.accounts.ledger.balance(connection, user.id).included_used


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A server with ada and ben, who have 10,000 credits each; after the test its ledger is recounted."""
    settings = Settings(home=tmp_path, plans={"metered": {"included": 10_000}})
    accounts = open_accounts(settings)
    hashed = hash_password(PASSWORD)
    with accounts.database.write() as connection:
        for name in ("ada", "ben"):
            accounts.users.add(
                connection, name, role=Role.USER, plan="metered", password_hash=hashed, actor="a test"
            )
    with listening(build_app(settings, gateway_service(tmp_path))) as url:
        yield House(url, accounts)
    assert_balanced(accounts.database)
    accounts.database.close()


def call(client: httpx.Client, way: Way, sent: Sent) -> Answer:
    files = {way.field: ("frame.png", sent.png, "image/png")}
    response = client.post(way.path, data=way.form, files=files)
    assert response.status_code == 200, response.text
    return way.read(response)


def test_no_answer_of_two_people_is_mixed_up(house: House) -> None:
    clients = [
        httpx.Client(
            base_url=house.url,
            headers={"Authorization": f"Bearer {credential}"},
            timeout=60,
        )
        for credential in (house.token_of("ada"), house.key_of("ben"))
    ]
    ways = list(islice(zip(cycle(BOLD), cycle(SHY), strict=True), CALLS // 2))
    calls = [
        (client, way, Sent(2 * turn + whose))
        for turn, pair in enumerate(ways)
        for whose, (client, way) in enumerate(zip(clients, pair, strict=True))
    ]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda one: call(*one), calls))

    mixed_up = [
        (way.path, sent.number, answer)
        for (_, way, sent), answer in zip(calls, answers, strict=True)
        if answer != way.expected(sent)
    ]
    assert len(answers) == CALLS
    assert mixed_up == []
    assert len({answer for answer in answers if answer}) > CALLS / 2, "each answer is of one picture"
    assert (house.used("ada"), house.used("ben")) == (CALLS // 2, CALLS // 2)
    for client in clients:
        client.close()
