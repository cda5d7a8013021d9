"""Networks that see one red fox in every picture, for tests that are about HTTP."""

from collections.abc import Sequence
from pathlib import Path

from okapia.domain.models import ModelChoice, ModelReport
from okapia.domain.types import BBox, Category, Classification, Detection, Size
from okapia.models.base import Classifier, Detector
from okapia.models.card import PROFILES, ModelCard, builtin_cards
from okapia.models.catalog import Catalog
from okapia.models.registry import Registry
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.taxa import builtin_taxonomy
from okapia.models.weights.store import ModelStore
from okapia.pipeline.assemble import Assembler
from okapia.pipeline.naming import RangeFiles
from okapia.pipeline.scheduler import Scheduler
from okapia.service import FACES, OBJECTS, URBAN, WILD, Models, Service, Species
from okapia.vision.decode import DecodePolicy
from okapia.vision.geometry import fit, square_crop_box
from okapia.vision.resample import Pixels

RED_FOX = next(taxon for taxon in builtin_taxonomy() if taxon.common_name == "red fox")


class OneFox:
    """Sees a fox at 0.9 and something at 0.1 in every picture."""

    reports = (ModelReport("one-fox", "detector", (64, 64), "test 1", "cpu", "f32", "0" * 64),)

    def wanted(self, picture: Size) -> Size:
        return fit(picture, (64, 64))

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        assert pixels.ndim == 3
        return (
            Detection(BBox(0.25, 0.25, 0.5, 0.5), Category.ANIMAL, 0.9, "animal"),
            Detection(BBox(0.0, 0.0, 0.1, 0.1), Category.PERSON, 0.1, "person"),
        )


class FoxNamer:
    """Calls every crop a red fox."""

    taxonomy = builtin_taxonomy()
    crop_side = 32
    reports = (ModelReport("fox-namer", "classifier", (64, 64), "test 1", "cpu", "f32", "1" * 64),)

    def region(self, bbox: BBox, picture: Size) -> BBox:
        return square_crop_box(bbox, picture)

    def classify(self, crops: Sequence[Pixels]) -> list[tuple[Classification, ...]]:
        return [(Classification(RED_FOX, 0.95),) for _ in crops]


class FoxRegistry(Registry):
    """Gives the two models above, whatever is asked for."""

    def card(self, model_id: str) -> ModelCard:
        del model_id
        return builtin_cards()["efficientnet-lite0"]

    def holds(self, model_id: str) -> bool:
        del model_id
        return True

    def detector(self, model_id: str) -> Detector:
        del model_id
        return OneFox()

    def classifier(self, model_id: str) -> Classifier:
        del model_id
        return FoxNamer()


def fox_service(folder: Path, *, policy: DecodePolicy | None = None) -> Service:
    """A service that answers with a fox."""
    return service_around(FoxRegistry, folder, ModelChoice("one-fox", "fox-namer"), policy=policy)


def bare_service(folder: Path) -> Service:
    """A service as it is before any model was pulled."""
    return service_around(Registry, folder, PROFILES["lite"])


def service_around(
    registry_class: type[Registry], folder: Path, choice: ModelChoice, *, policy: DecodePolicy | None = None
) -> Service:
    load = Load()
    registry = registry_class(
        Catalog(ModelStore(folder)),
        runtime=Runtime(EngineChoice(), load=load, cores=1),
        canvases={},
        idle_s=60,
    )
    policy = policy or DecodePolicy()
    assembler = Assembler(registry, policy=policy, ranges=RangeFiles())
    profiles = dict.fromkeys((WILD, URBAN, OBJECTS, FACES), choice)
    models = Models(registry, assembler=assembler, profiles=profiles)
    return Service(
        models=models,
        species=Species(models, home=folder),
        scheduler=Scheduler(workers=2, depth=64, load=load),
        policy=policy,
        deadline_s=30,
    )
