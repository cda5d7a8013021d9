"""The nouns of camera-trap analysis: what a picture holds and what is said of it.

Read this file first. Everything here is frozen and plain: no pixels, no HTTP, no vendor's
field names. Boxes are fractions of the upright image (decision 0009).
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from okapia.domain.capture import BurstSequence, MoonPhase, TimeSource
from okapia.domain.clips import Clip, FrameRule
from okapia.domain.errors import OkapiaError
from okapia.domain.taxonomy import Rank, Taxon

Size = tuple[int, int]
"""(width, height) in pixels, both at least 1."""


class Category(StrEnum):
    """What a detector can say of a box: MegaDetector's three classes, and everything else."""

    ANIMAL = "animal"
    PERSON = "person"
    VEHICLE = "vehicle"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class BBox:
    """A box as fractions of the upright image's width and height, origin top left.

    All four values lie in 0..1, and `x_min + width` and `y_min + height` do not exceed 1
    when the box was made by `from_corners`.
    """

    x_min: float
    y_min: float
    width: float
    height: float

    @classmethod
    def from_corners(cls, x_min: float, y_min: float, x_max: float, y_max: float) -> Self:
        """Make a box from corner fractions, clipped to the image."""
        left, top = min(max(x_min, 0.0), 1.0), min(max(y_min, 0.0), 1.0)
        right, bottom = min(max(x_max, left), 1.0), min(max(y_max, top), 1.0)
        return cls(left, top, right - left, bottom - top)

    @property
    def x_max(self) -> float:
        return self.x_min + self.width

    @property
    def y_max(self) -> float:
        return self.y_min + self.height

    @property
    def area(self) -> float:
        """Fraction of the image that the box covers, 0..1."""
        return self.width * self.height

    def intersection(self, other: "BBox") -> float:
        """Area shared with `other`, as a fraction of the image."""
        width = min(self.x_max, other.x_max) - max(self.x_min, other.x_min)
        height = min(self.y_max, other.y_max) - max(self.y_min, other.y_min)
        return max(width, 0.0) * max(height, 0.0)

    def iou(self, other: "BBox") -> float:
        """Intersection over union, 0..1; 0 for two empty boxes."""
        shared = self.intersection(other)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0

    def covered_by(self, other: "BBox") -> float:
        """Fraction of this box that lies inside `other`, 0..1."""
        return self.intersection(other) / self.area if self.area > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Classification:
    """One taxon that the classifier sees in a box.

    Attributes:
        score: the classifier's probability, 0..1, summed over its classes of that taxon.
    """

    taxon: Taxon
    score: float


class RangeRule(StrEnum):
    """What can keep a taxon out of the answer at a place."""

    ALLOW = "allow"
    BLOCK = "block"
    SPECIES_LIST = "species_list"


@dataclass(frozen=True, slots=True)
class Restriction:
    """Why an answer is not what the scores alone would have made it.

    Attributes:
        rule: `allow` when the taxon's allow list lacks the place, `block` when its block list has it.
        original: the taxon that was kept out.
        level: rank of the answer that was given instead; None when none was found.
        country: ISO 3166-1 alpha-3; None where only a species list was asked.
        state: two letters, of a US state or territory.
    """

    rule: RangeRule
    original: Taxon
    level: Rank | None
    country: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Why a box has another taxon than its own scores gave it.

    Attributes:
        rule: `other`, `minority`, `taxonomy` or `family` (`okapia.pipeline.smoothing`).
        original: what its own scores gave.
        source: name of the picture that the taxon came from, when it is another one.
    """

    rule: str
    original: Taxon
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What we finally say of a box, and on whose word.

    Attributes:
        score: 0..1; the detector's confidence or the classifier's (rolled-up) score.
        source: SpeciesNet's word for it: `detector`, `classifier`, `classifier+rollup_to_<rank>`,
            `classifier+geofence+rollup_to_<rank>` or `classifier+geofence+rollup_failed`; ours is
            `+species_list` at the end.
        decision: the rule that decided, `1a` to `6` of `okapia.pipeline.ensemble`; empty where no
            classifier was asked.
        restrictions: what kept more precise answers out, in the order in which it did.
        smoothing: set when the taxon comes from the box's neighbours; the score stays its own.
    """

    taxon: Taxon
    score: float
    source: str
    decision: str = ""
    restrictions: tuple[Restriction, ...] = ()
    smoothing: Smoothing | None = None


class GenderWord(StrEnum):
    """What a guess from a face amounts to; the words of the gateways' contracts."""

    MAN = "man"
    WOMAN = "woman"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Gender:
    """What a network guesses from one look at one face; nothing that would know the person again.

    Attributes:
        man_probability: the network's own answer, 0..1; near 0 for a woman's face.
    """

    man_probability: float

    @property
    def word(self) -> GenderWord:
        """The guess; `unknown` in 0.35..0.65.

        The band is measured (docs/accuracy.md): of 29 clear faces 28 lay outside it, all on the right side;
        small faces in a crowd drift to 0.58..0.64, women's too.
        """
        if 0.35 <= self.man_probability <= 0.65:
            return GenderWord.UNKNOWN
        return GenderWord.MAN if self.man_probability > 0.5 else GenderWord.WOMAN

    @property
    def confidence(self) -> float:
        """Probability of the likelier of the two, 0.5..1; at most 0.65 where the word is `unknown`."""
        return max(self.man_probability, 1.0 - self.man_probability)


@dataclass(frozen=True, slots=True)
class Detection:
    """A box with what the detector says of it, and what the classifier adds.

    Attributes:
        confidence: the detector's own, 0..1.
        label: the detector's own class name ("animal", "dog").
        classifications: best first; empty when the box was not classified.
        prediction: None when the box was not classified.
        gender: of a face that was looked at for it; None for everything else.
        frame: of a clip, the number of the frame that the box is in; None in a picture.
    """

    bbox: BBox
    category: Category
    confidence: float
    label: str
    classifications: tuple[Classification, ...] = ()
    prediction: Prediction | None = None
    gender: Gender | None = None
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class CaptureMetadata:
    """What the camera wrote into the file; every field is None when it did not.

    Attributes:
        captured_at: camera time, without time zone (cameras do not record one).
        latitude: degrees, -90..90, north positive.
        longitude: degrees, -180..180, east positive.
        orientation: EXIF orientation 1..8; 1 when absent.
        exposure_time: seconds, above 0.
        iso: above 0.
        f_number: above 0.
        focal_length: of the real lens, millimetres, above 0.
        flash: whether it fired; some makers count the infrared lamps as one.
        temperature: of the camera's own sensor, degrees Celsius.
        sequence: the camera's own count, not `okapia.pipeline.sequences`.
    """

    captured_at: datetime | None = None
    captured_at_source: TimeSource | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    camera_serial: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    orientation: int = 1
    exposure_time: float | None = None
    iso: int | None = None
    f_number: float | None = None
    focal_length: float | None = None
    flash: bool | None = None
    temperature: float | None = None
    moon_phase: MoonPhase | None = None
    sequence: BurstSequence | None = None


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Facts about the file itself.

    Attributes:
        width: pixels of the upright image.
        height: pixels of the upright image.
        format: what the content is ("JPEG"), whatever the name says.
        n_bytes: size of the encoded file.
        decoded_fraction: rows (frames, of a clip) that hold data, 0..1; below 1 the file is damaged.
        clip: of a video file; None for a picture.
    """

    width: int
    height: int
    format: str
    n_bytes: int
    decoded_fraction: float = 1.0
    capture: CaptureMetadata = field(default_factory=CaptureMetadata)
    clip: Clip | None = None

    @property
    def is_damaged(self) -> bool:
        return self.decoded_fraction < 1.0


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the models see in one image.

    Attributes:
        detections: most confident first; down to the floor the pipeline was run with.
        prediction: of the picture as a whole; only with `Crops.TOP_BOX`.
        classifications: best first, of the part that `prediction` was made from.
    """

    image: ImageInfo
    detections: tuple[Detection, ...]
    prediction: Prediction | None = None
    classifications: tuple[Classification, ...] = ()

    def above(self, threshold: float) -> "Analysis":
        """Return the same analysis with the detections of at least `threshold` (0..1) only."""
        return replace(self, detections=tuple(d for d in self.detections if d.confidence >= threshold))

    def categories(self) -> frozenset[Category]:
        """Categories that occur among the detections; empty for a blank picture."""
        return frozenset(d.category for d in self.detections)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one image has no analysis.

    Attributes:
        code: the stable code of the error (`okapia.domain.errors`).
    """

    code: str
    message: str

    @classmethod
    def of(cls, error: OkapiaError) -> Self:
        """Turn an expected error into the value that a result carries."""
        return cls(error.code, str(error))


@dataclass(frozen=True, slots=True)
class ImageResult:
    """The answer to one image: an analysis or a failure, never an exception.

    Attributes:
        name: what the caller calls the image (file name, relative path, upload name).
        seconds: time it took from bytes to answer, without waiting in a queue.
        meta: what the caller said of the image, given back as it came.
        sha256: of the image's bytes, in hexadecimal, where somebody counted it.
    """

    name: str
    outcome: Analysis | Failure
    seconds: float = 0.0
    meta: str | None = None
    sha256: str | None = None


class Crops(StrEnum):
    """Which boxes are classified, and by whose rules the answer is made.

    `ANIMALS` is Okapia's own: the found animals. The others are SpeciesNet's: `TOP_BOX` asks the most
    confident box of any category, or the whole picture when there is none, for one answer a picture (to
    5.0.5); `EVERY_BOX` asks each box of at least 0.1 for an answer of its own (from 5.0.6).
    """

    ANIMALS = "animals"
    TOP_BOX = "top_box"
    EVERY_BOX = "every_box"


class Smooth(StrEnum):
    """Whether boxes take a taxon from their neighbours.

    `IMAGE` and `SEQUENCE` are MegaDetector's rules within one picture, and within pictures that one camera
    took in a row as well; `HERD` only makes broad answers more precise.
    """

    OFF = "off"
    IMAGE = "image"
    SEQUENCE = "sequence"
    HERD = "herd"


@dataclass(frozen=True, slots=True)
class Where:
    """The place that ranges are asked about.

    Attributes:
        country: ISO 3166-1 alpha-3 in capitals; None when unknown: nothing is fenced out then.
        state: of the USA, two capitals.
    """

    country: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """What a caller asks of the pipeline.

    Attributes:
        threshold: least detector confidence, 0.01..0.99, of a box that counts as found;
            found animals are classified.
        classify: whether found animals get a species.
        smooth: within one picture; `SEQUENCE` counts as `IMAGE` here.
        frames: those of a video file that are looked at; None to refuse video files.
    """

    threshold: float = 0.2
    classify: bool = True
    crops: Crops = Crops.ANIMALS
    where: Where = Where()
    smooth: Smooth = Smooth.OFF
    frames: FrameRule | None = None


class People(StrEnum):
    """How people appear in copies that Okapia draws."""

    BLUR = "blur"
    FILL = "fill"
    SHOW = "show"
