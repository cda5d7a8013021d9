"""A gateway around networks that see a dog and a person, and three faces; with people who can log in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.testclient import TestClient

from okapia.accounts.passwords import hash_password
from okapia.app import build_app
from okapia.cli.accounts_desk import Accounts, open_accounts
from okapia.domain.callers import Role
from okapia.domain.models import ModelChoice, ModelReport
from okapia.domain.types import BBox, Category, Detection, Gender, Size
from okapia.models.base import Detector
from okapia.service import FACES, Service
from okapia.settings import Settings
from okapia.vision.decode import DecodePolicy
from okapia.vision.geometry import fit
from okapia.vision.resample import Pixels
from tests.unit.accounts.people import PASSWORD
from tests.unit.dialects.foxes import FoxRegistry, service_around

THINGS = (
    Detection(BBox(0.25, 0.25, 0.5, 0.5), Category.ANIMAL, 0.99694, "dog"),
    Detection(BBox(0.0, 0.0, 0.124, 0.126), Category.PERSON, 0.31, "person"),
    Detection(BBox(0.5, 0.5, 0.5, 0.5), Category.OTHER, 0.29, "kite"),
)
PEOPLE = (
    Detection(BBox(0.1, 0.1, 0.2, 0.4), Category.PERSON, 0.9773, "face", gender=Gender(0.9546)),
    Detection(BBox(0.4, 0.1, 0.2, 0.4), Category.PERSON, 0.9693, "face", gender=Gender(0.0)),
    Detection(BBox(0.7, 0.1, 0.2, 0.4), Category.PERSON, 0.5, "face", gender=Gender(0.6)),
)


class Sees:
    """Sees the same in every picture."""

    reports = (ModelReport("sees", "detector", (64, 64), "test 1", "cpu", "f32", "0" * 64),)

    def __init__(self, found: tuple[Detection, ...]) -> None:
        self._found = found

    def wanted(self, picture: Size) -> Size:
        return fit(picture, (64, 64))

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        # Black is what nothing is in.
        return self._found if pixels.any() else ()


class GateRegistry(FoxRegistry):
    """Gives `things` and `faces`."""

    def detector(self, model_id: str) -> Detector:
        return Sees(PEOPLE if model_id == "faces" else THINGS)


def gate_service(folder: Path) -> Service:
    """A service that answers with them."""
    policy = DecodePolicy(formats=("JPEG", "PNG", "WEBP", "BMP"))
    service = service_around(GateRegistry, folder, ModelChoice("things", None), policy=policy)
    service.models.use(FACES, ModelChoice("faces", None))
    return service


@cache
def password_hash() -> str:
    """The hash of `PASSWORD`, made once: it takes its time."""
    return hash_password(PASSWORD)


@dataclass(frozen=True, slots=True)
class Gate:
    """A server and the accounts behind it."""

    client: TestClient
    accounts: Accounts
    settings: Settings

    @property
    def album(self) -> list[Path]:
        """The files that were kept, by name."""
        return sorted((self.settings.home / "album").iterdir())

    def add(self, name: str, *, role: Role = Role.USER) -> None:
        """Give somebody an account with `PASSWORD`."""
        with self.accounts.database.write() as connection:
            self.accounts.users.add(
                connection, name, role=role, plan="unlimited", password_hash=password_hash(), actor="a test"
            )

    def token_of(self, name: str) -> str:
        """Log somebody in."""
        answer = self.client.post("/api/v1/login", json={"username": name, "password": PASSWORD})
        return str(answer.json()["access_token"])

    def header_of(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token_of(name)}"}


@contextmanager
def open_gate(home: Path, **settings: object) -> Iterator[Gate]:
    """Start a server without people."""
    chosen = Settings.model_validate({"home": home, **settings})
    accounts = open_accounts(chosen)
    app = build_app(chosen, gate_service(home))
    try:
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
            yield Gate(client, accounts, chosen)
    finally:
        accounts.database.close()
