"""A service on real networks made on the spot: two detectors of brightness and a classifier of colours."""

import time
from pathlib import Path

from okapia.domain.models import ModelChoice
from okapia.models.base import Session
from okapia.models.card import ModelCard, Preprocessing
from okapia.models.catalog import Catalog
from okapia.models.registry import Registry
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.store import ModelStore
from okapia.pipeline.assemble import Assembler
from okapia.pipeline.naming import RangeFiles
from okapia.pipeline.scheduler import Scheduler
from okapia.service import URBAN, WILD, Models, Service, Species
from okapia.vision.decode import DecodePolicy
from tests import networks


def card(model_id: str, *, task: str = "detector", winner: str = "animal") -> ModelCard:
    is_detector = task == "detector"
    return ModelCard.model_validate(
        {
            "id": model_id,
            "title": f"The {model_id}",
            "version": "1",
            "task": task,
            "family": "yolo_e2e" if is_detector else "classifier",
            "licence": "MIT",
            "canvas": 64,
            "labels": (winner,) if is_detector else ("red fox", "brown bear", "domestic cat"),
            "categories": {winner: winner} if is_detector else {},
            "activation": "none" if is_detector else "softmax",
            "preprocessing": Preprocessing(resize="stretch", std=(255.0,) * 3),
        }
    )


class SlowRuntime(Runtime):
    """Takes its time to open the network of `slow`."""

    delay_s = 0.0

    def open(self, network: Path, row: tuple[int | None, ...]) -> Session:
        if network.stem == "slow":
            time.sleep(self.delay_s)
        return super().open(network, row)


def bright_service(folder: Path, *, delay_s: float = 0.0) -> Service:
    """`stoat` and `slow` call what is bright an animal, `guard` a person; `namer` tells three colours."""
    store = ModelStore(folder / "models")
    detector = networks.bright_box(networks.yolo_e2e_layout(winner=0), ["n", 6], shape=[1, 3, 64, 64])
    for model_id, winner in (("stoat", "animal"), ("slow", "animal"), ("guard", "person")):
        (folder / f"{model_id}.onnx").write_bytes(detector)
        store.link(card(model_id, winner=winner), folder / f"{model_id}.onnx", source="a test")
    (folder / "namer.onnx").write_bytes(networks.mean_colour(shape=["N", 3, 64, 64], gain=20.0))
    store.link(card("namer", task="classifier"), folder / "namer.onnx", source="a test")
    load, policy = Load(), DecodePolicy()
    runtime = SlowRuntime(EngineChoice(), load=load, cores=1)
    runtime.delay_s = delay_s
    registry = Registry(Catalog(store), runtime=runtime, canvases={}, idle_s=60)
    profiles = {WILD: ModelChoice("stoat", "namer"), URBAN: ModelChoice("guard", None)}
    assembler = Assembler(registry, policy=policy, ranges=RangeFiles())
    models = Models(registry, assembler=assembler, profiles=profiles)
    return Service(
        models=models,
        species=Species(models, home=folder),
        scheduler=Scheduler(workers=2, depth=8, load=load),
        policy=policy,
        deadline_s=30,
    )
