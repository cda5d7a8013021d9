"""What somebody asks of a batch: which pictures, which models, which files; it has no secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self, cast

from pydantic import TypeAdapter

from okapia.batches.batch import Batch
from okapia.batches.selection import Selection
from okapia.domain.models import ModelChoice
from okapia.domain.types import AnalysisOptions

__all__ = [
    "LIST_URL",
    "OUTPUT",
    "SOURCE",
    "BatchRequest",
    "Outputs",
    "PlaceOfPictures",
    "Secrets",
    "Selection",
    "Split",
]


class Split(StrEnum):
    """Into how many files an output goes: one for all pictures, one a top folder, or one a camera."""

    WHOLE = "whole"
    FOLDER = "folder"
    CAMERA = "camera"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOfPictures:
    """Where pictures lie.

    Attributes:
        address: absolute path of a folder, `s3://…`, `az://…`, `gs://…`, or `storage:NAME[/PREFIX]`; empty
            when the list names URLs.
        list_key: blob with the list of the wanted pictures, below `address` or by URL; empty for all that
            lie there.
        fetches_list: whether that list has still to be fetched, from a URL among the batch's secrets.
    """

    address: str = ""
    list_key: str = ""
    fetches_list: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Which files are made of the answers.

    Attributes:
        formats: names of result formats, each written once.
        keep_above: least confidence, 0.01..0.99, of a box that is written.
        top_k: most classes written for a box; None for all.
        address: place in a cloud that the files go to as well; empty for none.
    """

    formats: tuple[str, ...] = ("megadetector",)
    keep_above: float = 0.05
    top_k: int | None = None
    split: Split = Split.WHOLE
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """What is asked, checked; it has no secret.

    Attributes:
        choice: the models; named when the batch was asked for, whatever a profile becomes later.
        name: of the caller's choosing; part of the outputs' names.
        dialect: contract by which it was asked for; empty for Okapia's own.
        about: what the dialect has to say again when it is asked about the batch.
        webhook: id of the account's endpoint that alone is told how it ended; empty for all that subscribed.
        uses_cache: whether answers of before count (`okapia.service.remembered`).
    """

    place: PlaceOfPictures
    choice: ModelChoice
    options: AnalysisOptions = field(default_factory=AnalysisOptions)
    selection: Selection = field(default_factory=Selection)
    outputs: Outputs = field(default_factory=Outputs)
    name: str = ""
    dialect: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    webhook: str = ""
    uses_cache: bool = True

    @classmethod
    def of(cls, batch: Batch) -> Self:
        """Read the request of a batch."""
        return cast("Self", _REQUEST.validate_python(batch.request))

    def as_row(self) -> Mapping[str, object]:
        """Write it as the database keeps it."""
        return cast("Mapping[str, object]", _REQUEST.dump_python(self, mode="json"))


_REQUEST = TypeAdapter(BatchRequest)

Secrets = Mapping[str, str]
"""What opens the places of a batch, by use: `SOURCE`, `LIST_URL`, `OUTPUT`; empty when nothing is needed."""

SOURCE, LIST_URL, OUTPUT = "source", "list_url", "output"
