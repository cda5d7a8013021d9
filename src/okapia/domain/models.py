"""The nouns of networks: which there are, which answer, and how each runs here."""

from dataclasses import dataclass, replace

from okapia.domain.types import Size


@dataclass(frozen=True, slots=True)
class ModelReport:
    """How one model runs here, as reported to people.

    Attributes:
        canvas: the network's input in pixels.
        precision: "f32", "bf16" or "f16": what the engine says it executes, not what was asked.
        sha256: of the network's file.
        built_from: hash of that file, of those that it came with, and of the card that it was built by.
    """

    model_id: str
    task: str
    canvas: Size
    engine: str
    device: str
    precision: str
    sha256: str
    built_from: str = ""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory.

    Attributes:
        memory_bytes: by how much the process grew while it was loaded: about what it takes.
        load_seconds: what loading took.
    """

    report: ModelReport
    memory_bytes: int
    load_seconds: float


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What there is to know of one model on this machine.

    Attributes:
        area: where it was made for; empty when everywhere or unknown.
        classes: what it can answer with.
        sha256: of the installed network; None when it is not installed.
        loaded: None when it is not in memory.
    """

    id: str
    title: str
    task: str
    version: str
    licence: str
    area: str
    classes: tuple[str, ...]
    sha256: str | None
    loaded: LoadedModel | None


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which models answer.

    Attributes:
        detector: a model id, or two joined by `+`: an animal specialist and a COCO detector, or a
            detector of faces and a reader of faces.
        classifier: a model id, or None for boxes without species.
        tiles: tiles a side that the picture is also looked at in; 1 is the whole picture only.
    """

    detector: str
    classifier: str | None
    tiles: int = 1

    @property
    def alone(self) -> "ModelChoice":
        """The first detector by itself: of `faces`, the faces without a guess about them."""
        return replace(self, detector=self.detector.partition("+")[0])

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Every model by itself, detectors first."""
        return (*self.detector.split("+"), *((self.classifier,) if self.classifier else ()))
