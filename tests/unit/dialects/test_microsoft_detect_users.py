"""Many pictures at once: those of one call side by side, and those of two users never mixed up."""

import io
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.cli.accounts_desk import open_accounts
from okapia.domain.models import ModelChoice
from okapia.domain.types import Detection
from okapia.models.base import Detector
from okapia.settings import Settings
from okapia.vision.resample import Pixels
from tests.unit.dialects.foxes import FoxRegistry, service_around
from tests.unit.dialects.shades import Shades, box_of, shade, shades_service
from tests.unit.dialects.test_microsoft_detect import DETECT, parts_of
from tests.unit.web.conftest import House

CALLS = 1_000
WORKERS = 2
"""Of the service of these tests."""

SHADES = [shade(level) for level in range(256)]

Call = Callable[[list[int]], None]


class Pairs(Shades):
    """Looks at a picture only while another is looked at."""

    both = threading.Barrier(WORKERS, timeout=20)

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        self.both.wait()
        return super().detect(pixels)


class PairsRegistry(FoxRegistry):
    """Gives that network, whatever is asked for."""

    def detector(self, model_id: str) -> Detector:
        del model_id
        return Pairs()


def test_pictures_of_one_call_are_looked_at_side_by_side(tmp_path: Path) -> None:
    service = service_around(PairsRegistry, tmp_path, ModelChoice("shades", None))
    files = [(f"p{level}", ("a.jpg", SHADES[level], "image/jpeg")) for level in (10, 20, 30, 40)]

    with TestClient(build_app(Settings(home=tmp_path), service), base_url="http://localhost") as client:
        parts = parts_of(client.post(DETECT, params={"confidence": "0.9"}, files=files))

    expected = {f"p{level}": [[*box_of(level), 0.987, 1]] for level in (10, 20, 30, 40)}
    assert parts["detection_result"].document == expected


def ada(client: TestClient, key: str) -> Call:
    """Asks in the old way: for the surest boxes, and for copies."""

    def call(levels: list[int]) -> None:
        answer = client.post(
            DETECT,
            params={"confidence": "0.9", "render": "true", "people": "show"},
            headers={"Ocp-Apim-Subscription-Key": key},
            files=[
                (f"ada-{place}", ("a.jpg", SHADES[level], "image/jpeg")) for place, level in enumerate(levels)
            ],
        )

        parts = parts_of(answer)
        expected = {f"ada-{place}": [[*box_of(level), 0.987, 1]] for place, level in enumerate(levels)}
        assert parts["detection_result"].document == expected
        assert [*parts] == ["detection_result", "classification_result", *expected]
        for place, level in enumerate(levels):
            with Image.open(io.BytesIO(parts[f"ada-{place}"].content)) as copy:
                # The box leaves this corner free.
                assert abs(int(np.asarray(copy.convert("L"))[-1, -1]) - level) <= 12

    return call


def bob(client: TestClient, key: str) -> Call:
    """Asks in the last way: for nearly all boxes, as JSON."""

    def call(levels: list[int]) -> None:
        answer = client.post(
            DETECT,
            params={"min_confidence": "0.4"},
            headers={"key": key, "Accept": "application/json"},
            files=[
                (f"bob-{place}", ("a.jpg", SHADES[level], "image/jpeg")) for place, level in enumerate(levels)
            ],
        )

        rows = [[[*box_of(level), 0.987, 1], [*box_of(level), 0.5, 2]] for level in levels]
        assert answer.json() == {"detection_result": {f"bob-{place}": one for place, one in enumerate(rows)}}

    return call


def test_a_thousand_calls_of_two_users_are_not_mixed_up(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    accounts = open_accounts(settings)
    app, chance = build_app(settings, shades_service(tmp_path)), random.Random(7)  # noqa: S311 - not a secret
    with TestClient(app, base_url="http://localhost") as client:
        house = House(app, client, accounts)
        house.add("ada")
        house.add("bob")
        users = [ada(client, house.key_of("ada").text), bob(client, house.key_of("bob").text)]
        levels = [chance.sample(range(256), chance.randint(1, 3)) for _ in range(CALLS)]

        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda place: users[place % 2](levels[place]), range(CALLS)))

    assert len(done) == CALLS
    accounts.database.close()
