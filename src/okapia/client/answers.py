"""What the server answers, field by field; what it leaves out is None or empty.

Names and meanings are those of the HTTP contract. Closed sets such as `category` stay text, so that a newer
server's words are no errors.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from okapia.client.reading import Answer

BBox = tuple[float, float, float, float]
"""x_min, y_min, width and height as fractions of the upright picture, from its top left."""


# --- boxes and species --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks(Answer):
    """The named ranks of a taxon in lower case; those below its own are empty."""

    class_: str = ""
    order: str = ""
    family: str = ""
    genus: str = ""
    species: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy(Ranks):
    """A taxon with SpeciesNet's id."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate(Answer):
    """Another class that the classifier saw in the box, with its own score."""

    label: str
    score: float
    taxonomy: Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOut(Answer):
    """What kept a more precise answer out, and what that was."""

    rule: str
    original_label: str
    original_taxonomy_id: str
    country: str | None = None
    admin1: str | None = None
    rolled_up_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothed(Answer):
    """That the label comes from the box's neighbours, and what its own scores gave."""

    rule: str
    original_label: str
    original_taxonomy_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseDetection(Answer):
    """A box with `animal`, `human` or `vehicle`."""

    id: int
    bbox: BBox
    score: float
    label: str
    category: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation(CoarseDetection):
    """A box with a species or a higher taxon.

    Attributes:
        score: of the classifier where a taxon is named, of the detector otherwise.
        source: on whose word the label rests.
        decision: number of the rule that decided.
    """

    taxonomy: Taxonomy | None = None
    detection_score: float | None = None
    source: str | None = None
    decision: str | None = None
    geofence: tuple[KeptOut, ...] = ()
    smoothing: Smoothed | None = None
    top_candidates: tuple[Candidate, ...] = ()
    rank: str | None = None
    scientific_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Answer):
    """Why a picture has no answer, or what of the call was not used."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Info(Answer):
    """How the answer came about."""

    model_id: str | None = None
    model_version: str | None = None
    threshold_applied: float | None = None
    processing_time_ms: int | None = None
    country_processed: str | None = None
    admin1_processed: str | None = None
    warnings: tuple[Notice, ...] = ()
    source_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saved(Answer):
    """Attributes: id: under which the answer can be had again until `expires_at`."""

    id: str
    info: Info
    expires_at: dt.datetime | None = None
    metadata: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectAnswer(_Saved):
    """Answer of `detect`."""

    annotations: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterAnswer(_Saved):
    """Answer of `filter`."""

    detections: tuple[CoarseDetection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _BatchItem(Answer):
    index: int
    filename: str | None = None
    metadata: Mapping[str, object] | None = None
    info: Info | None = None
    error: Notice | None = None
    batch_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectItem(_BatchItem):
    """One picture of `batch_detect`.

    Attributes:
        index: place of the picture among all that were given, from 0.
        error: why there is no answer; None for a picture that has one.
        batch_id: under which the answer of its batch can be had again.
    """

    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterItem(_BatchItem):
    """One picture of `batch_filter`; its attributes are as in `DetectItem`."""

    detections: tuple[CoarseDetection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedItem(DetectItem):
    """One picture of a saved batch, of either kind."""

    detections: tuple[CoarseDetection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAnswer(Answer):
    """An answer of before, whichever call gave it: annotations, detections or results.

    Attributes:
        status: `success`, `error`, or where the job stands whose answer it will be.
        endpoint: the path that was called.
        error: why there is no answer.
    """

    id: str
    status: str
    endpoint: str | None = None
    created_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    annotations: tuple[Annotation, ...] = ()
    detections: tuple[CoarseDetection, ...] = ()
    results: tuple[SavedItem, ...] = ()
    metadata: Mapping[str, object] | None = None
    info: Info | None = None
    error: Notice | None = None


# --- the info strip -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Answer):
    """A number of the info strip; units as printed: C, F, %, and those of pressure."""

    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst(Answer):
    """Which picture of how many that the camera took in one go."""

    current: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedText(Answer):
    """What a camera printed into its picture.

    Attributes:
        date_basis: how the order of day and month is known.
    """

    raw_text: str
    date: dt.date | None = None
    time: dt.time | None = None
    temperature: Measured | None = None
    temperature_alt: Measured | None = None
    humidity: Measured | None = None
    pressure: Measured | None = None
    moon_phase: str | None = None
    camera_brand: str | None = None
    camera_model: str | None = None
    burst_sequence: Burst | None = None
    date_basis: str | None = None
