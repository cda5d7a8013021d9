"""A server for clients of gateways: real networks that see what is bright, and people with passwords."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from okapia.accounts.passwords import hash_password
from okapia.app import build_app
from okapia.cli.accounts_desk import Accounts, open_accounts
from okapia.domain.callers import Role
from okapia.domain.models import ModelChoice
from okapia.domain.types import Detection, Size
from okapia.models.base import Detector
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.registry import Registry
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.store import ModelStore
from okapia.pipeline.assemble import Assembler
from okapia.pipeline.naming import RangeFiles
from okapia.pipeline.scheduler import Scheduler
from okapia.service import FACES, OBJECTS, URBAN, WILD, Models, Service, Species
from okapia.settings import Settings
from okapia.vision.decode import DecodePolicy
from okapia.vision.resample import Pixels
from tests import networks
from tests.unit.dialects import bright

PASSWORD = "correct horse battery staple"  # noqa: S105 - of nobody
SIZE = (200, 100)
BOX = (50, 20, 150, 60)
"""What `picture` holds, in its pixels."""
SCORE = networks.SCORE


def picture(kind: str = "JPEG", colour: tuple[int, int, int] = (255, 255, 255)) -> bytes:
    """Give a dark picture with a bright box."""
    image = Image.new("RGB", SIZE)
    image.paste(colour, BOX)
    buffer = BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


class _Awake:
    """A detector that sees nothing in the dark, where the network of brightness sees a box of everything."""

    def __init__(self, network: Detector) -> None:
        self._network = network
        self.reports = network.reports

    def wanted(self, picture: Size) -> Size:
        return self._network.wanted(picture)

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        return self._network.detect(pixels) if pixels.max() > 128 else ()


class _WatchersRegistry(Registry):
    def detector(self, model_id: str) -> Detector:
        return _Awake(super().detector(model_id))


def gateway_service(folder: Path, *, objects: str = "guard") -> Service:
    """`guard` calls what is bright a person, `stoat` an animal, `looker` a face."""
    store = ModelStore(folder / "models")
    detector = networks.bright_box(networks.yolo_e2e_layout(winner=0), ["n", 6], shape=[1, 3, 64, 64])
    cards = [bright.card("guard", winner="person"), bright.card("stoat"), _looker()]
    for card in cards:
        (folder / f"{card.id}.onnx").write_bytes(detector)
        store.link(card, folder / f"{card.id}.onnx", source="a test")
    (folder / "namer.onnx").write_bytes(networks.mean_colour(shape=["N", 3, 64, 64], gain=20.0))
    store.link(bright.card("namer", task="classifier"), folder / "namer.onnx", source="a test")
    load, policy = Load(), DecodePolicy()
    runtime = Runtime(EngineChoice(), load=load, cores=1)
    registry = _WatchersRegistry(Catalog(store), runtime=runtime, canvases={}, idle_s=60)
    profiles = {
        WILD: ModelChoice("stoat", "namer"),
        URBAN: ModelChoice("megadetector-lite", None),
        OBJECTS: ModelChoice(objects, None),
        FACES: ModelChoice("looker", None),
    }
    models = Models(
        registry, assembler=Assembler(registry, policy=policy, ranges=RangeFiles()), profiles=profiles
    )
    return Service(
        models=models,
        species=Species(models, home=folder),
        scheduler=Scheduler(workers=2, depth=8, load=load),
        policy=policy,
        deadline_s=30,
    )


def _looker() -> ModelCard:
    card = bright.card("looker").model_dump()
    return ModelCard.model_validate(card | {"labels": ("face",), "categories": {"face": "other"}})


@dataclass(frozen=True, slots=True)
class Site:
    """A server, and the accounts behind it."""

    app: FastAPI
    client: TestClient
    accounts: Accounts
    service: Service

    def add(self, name: str, *, role: Role = Role.USER) -> None:
        """Give somebody an account, with the password of all."""
        _add(self.accounts, name, role)

    def key_of(self, name: str) -> str:
        """Make somebody a key."""
        with self.accounts.database.write() as connection:
            user = self.accounts.users.by_name(connection, name)
            made = self.accounts.keys.mint(connection, user, name="camera", actor="a test")
        return made.text

    def token_of(self, name: str) -> str:
        """Log somebody in, as pyzm does."""
        answer = self.client.post("/login", json={"username": name, "password": PASSWORD})
        token: str = answer.json()["access_token"]
        return token

    def at(self, address: str) -> TestClient:
        """Give a client on another machine."""
        return TestClient(self.app, base_url="http://okapia.lan:8000", client=(address, 50_000))


@contextmanager
def opened_site(settings: Settings, service: Service, *, admin: str = "") -> Iterator[Site]:
    """Open a server, with an admin if one is named; it is closed afterwards."""
    accounts = open_accounts(settings)
    if admin:
        _add(accounts, admin, Role.ADMIN)
    app = build_app(settings, service)
    with TestClient(app, base_url="http://localhost") as client:
        yield Site(app, client, accounts, service)
    accounts.database.close()


def _add(accounts: Accounts, name: str, role: Role) -> None:
    hashed = hash_password(PASSWORD)
    with accounts.database.write() as connection:
        accounts.users.add(
            connection, name, role=role, plan="unlimited", password_hash=hashed, actor="a test"
        )


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}
