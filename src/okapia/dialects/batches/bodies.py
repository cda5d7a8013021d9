"""What is sent to the routes of batches, field by field; nothing of it is repeated where it is wrong."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from okapia.domain.clips import FrameRule, FrameUnit
from okapia.domain.errors import InvalidRequest
from okapia.domain.types import Smooth
from okapia.service.batch_request import LIST_URL, OUTPUT, SOURCE, Secrets, Selection, Split
from okapia.service.batches import ListEntry

T = TypeVar("T", bound=BaseModel)

_TOLD = 5
"""Faults that one answer names."""


def _web_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().lower().startswith(("http://", "https://")):
        raise ValueError("expected an http or https URL")
    return url


Line = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$")]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=16_384)]
Folder = Annotated[Line, StringConstraints(pattern=r"^(/|[A-Za-z]:[\\/]|\\\\)")]
Address = Annotated[Line, StringConstraints(pattern=r"^(s3|az|gs)://")]
WebUrl = Annotated[SecretStr, Field(max_length=16_384), AfterValidator(_web_url)]
StorageName = Annotated[Line, StringConstraints(max_length=1024)]
Suffix = Annotated[str, StringConstraints(to_lower=True, max_length=16, pattern=r"^\.[A-Za-z0-9]+$")]
Name = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]
FormatName = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9_-]+$")]
Count = Annotated[int, Field(ge=1)]


class _Strict(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewSource(_Strict):
    """Which pictures. They lie at a `folder`, an `address` or a `storage`; without one, `images` are URLs.

    Attributes:
        folder: absolute path on the server, below one of its `source_roots`.
        address: `s3://BUCKET[/PREFIX]`, `az://ACCOUNT/CONTAINER[/PREFIX]` or `gs://BUCKET[/PREFIX]`;
            `?endpoint=URL` behind it for another server that speaks the cloud's protocol.
        storage: a place that has a name on the server, as `NAME[/PREFIX]`.
        images: the wanted ones, by their names below that place or by URL, each alone or as `[name, meta]`.
        list_url: where the server fetches such a list, as JSON or as text with one a line.
        secret: opens `address`: Azure's SAS or account key, `ID:SECRET[:TOKEN]` of S3, the JSON of a Google
            service account's key. Kept encrypted until the batch ends. The server's own identity opens a
            `storage` only.
        prefix: with which the names of the wanted ones begin.
        suffixes: with one of which they end; those of pictures where it is not said, and those of video files
            as well where `options.frames` is.
        first_n: how many of those, in the order of the listing.
        sample_n: how many of those then, at random.
        seed: makes the sample the same again.
    """

    folder: Folder | None = None
    address: Address | None = None
    storage: StorageName | None = None
    images: Annotated[list[Line | tuple[Line, Line]], Field(min_length=1)] | None = None
    list_url: WebUrl | None = None
    secret: Secret | None = None
    prefix: Annotated[str, Field(max_length=1024)] = ""
    suffixes: Annotated[list[Suffix], Field(min_length=1, max_length=64)] | None = None
    first_n: Count | None = None
    sample_n: Count | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @model_validator(mode="after")
    def _is_clear(self) -> Self:
        if sum(one is not None for one in (self.folder, self.address, self.storage)) > 1:
            raise ValueError("expected one of folder, address and storage, got several")
        if self.images is not None and self.list_url is not None:
            raise ValueError("expected images or a list_url, got both")
        if self.secret is not None and self.address is None:
            raise ValueError("expected the secret of an address, got one without")
        return self

    @property
    def place(self) -> str:
        """The place as the service knows it; empty where `images` are URLs."""
        return self.folder or self.address or (f"storage:{self.storage}" if self.storage else "")

    @property
    def entries(self) -> Iterable[ListEntry] | None:
        """The wanted pictures, where they are listed here."""
        if self.images is None:
            return None
        return (ListEntry(one) if isinstance(one, str) else ListEntry(*one) for one in self.images)

    def selection(self, *, suffixes: tuple[str, ...]) -> Selection:
        """Give what is wanted; `suffixes` where the request has none."""
        return Selection(
            prefix=self.prefix,
            suffixes=suffixes if self.suffixes is None else tuple(self.suffixes),
            first_n=self.first_n,
            sample_n=self.sample_n,
            seed=self.seed,
        )


class NewFrames(_Strict):
    """Which frames of video files are looked at: the first one, and from there one each `every`.

    Attributes:
        every: of frames, a whole number.
        most: a clip with more frames to look at is a failure.
    """

    every: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    unit: FrameUnit = FrameUnit.SECONDS
    most: Annotated[int, Field(ge=1, le=100_000)] = 1000

    def rule(self) -> FrameRule:
        """Give it in our words; raises `InvalidRequest` for a part of a frame."""
        return FrameRule(self.every, self.unit, self.most)


class NewOptions(_Strict):
    """What is asked of every picture, as of one that is sent at once.

    Attributes:
        threshold: least confidence of a box that counts as found; the server's own where it is not said.
        country: code or name; `auto` takes it from the coordinates.
        state: of the USA, two letters or a name.
        smooth: labels take a better one found in the same picture.
        tiles: tiles a side that every picture is also looked at in; the model's own where it is not said.
        frames: look at video files as well; without it they are no pictures.
    """

    threshold: Annotated[float, Field(ge=0.01, le=0.99, allow_inf_nan=False)] | None = None
    classify: bool = True
    country: Annotated[Line, Field(max_length=255)] | None = None
    state: Annotated[Line, Field(max_length=255)] | None = None
    latitude: Annotated[float, Field(allow_inf_nan=False)] | None = None
    longitude: Annotated[float, Field(allow_inf_nan=False)] | None = None
    smooth: Literal[Smooth.OFF, Smooth.IMAGE, Smooth.HERD] = Smooth.OFF
    tiles: Annotated[int, Field(ge=1, le=4)] | None = None
    frames: NewFrames | None = None


class NewOutputs(_Strict):
    """Which files are made of the answers.

    Attributes:
        formats: names of result formats, each written once.
        keep_above: least confidence of a box that is written.
        top_k: most classes written for a box; null for all.
        split: one file for all pictures, one a top folder, or one a camera.
        address, storage: place in a cloud that the files go to as well, as a source's.
        secret: opens that address.
    """

    formats: Annotated[list[FormatName], Field(min_length=1, max_length=16)] = ["megadetector"]
    keep_above: Annotated[float, Field(ge=0.01, le=0.99, allow_inf_nan=False)] = 0.05
    top_k: Annotated[int, Field(ge=1, le=100)] | None = None
    split: Split = Split.WHOLE
    address: Address | None = None
    storage: StorageName | None = None
    secret: Secret | None = None

    @model_validator(mode="after")
    def _is_clear(self) -> Self:
        if self.address is not None and self.storage is not None:
            raise ValueError("expected one of address and storage, got both")
        if self.secret is not None and self.address is None:
            raise ValueError("expected the secret of an address, got one without")
        return self

    @property
    def place(self) -> str:
        """The place as the service knows it; empty for none."""
        return self.address or (f"storage:{self.storage}" if self.storage else "")


class NewBatchBody(_Strict):
    """A batch to be made.

    Attributes:
        model: a profile, a model's id, or two detectors joined by `+`; what it stands for now counts.
        detector, classifier: ids of models in place of those that `model` stands for.
        priority: 0 goes first, 9 last: nobody gets ahead of others, but may let them by.
        name: part of the names of its files.
        webhook: id of the endpoint (`/v1/webhooks`) that alone is told how it ended, in place of all.
        no_cache: analyse pictures again whose answer is known.
    """

    source: NewSource
    model: Annotated[Line, Field(max_length=255)] = "wild"
    detector: Annotated[Line, Field(max_length=255)] | None = None
    classifier: Annotated[Line, Field(max_length=255)] | None = None
    options: NewOptions = NewOptions()
    priority: Annotated[int, Field(ge=0, le=9)] = 0
    outputs: NewOutputs = NewOutputs()
    name: Name | None = None
    webhook: Annotated[Line, Field(max_length=64)] | None = None
    no_cache: bool = False

    def secrets(self) -> Secrets:
        return _secrets(self.source.secret, self.source.list_url, self.outputs.secret)


class NewSecrets(_Strict):
    """What opens the places of a batch that goes on, in place of what did; what is left out stays.

    Attributes:
        secret: of the source.
        list_url: where the list is fetched from.
        output_secret: of the place that the files go to.
    """

    secret: Secret | None = None
    list_url: WebUrl | None = None
    output_secret: Secret | None = None

    def secrets(self) -> Secrets | None:
        return _secrets(self.secret, self.list_url, self.output_secret) or None


RESUME: dict[str, object] = {
    "requestBody": {"content": {"application/json": {"schema": NewSecrets.model_json_schema()}}}
}


def checked(kind: type[T], given: bytes | Mapping[str, object]) -> T:
    """Check a body, as JSON or as its fields.

    Raises:
        InvalidRequest: it is none; the message names what is wrong, and repeats nothing that was given but
            the names of fields: there may be a secret in it.
    """
    body = TypeAdapter(kind)
    try:
        return body.validate_json(given or b"{}") if isinstance(given, bytes) else body.validate_python(given)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        # A picture may be a name or a pair, so each wrong one is wrong twice.
        told = dict.fromkeys(f"{_where(fault['loc'])}: {fault['msg']}" for fault in faults[:_TOLD])
        param = str(faults[0]["loc"][-1]) if faults[0]["loc"] else None
        raise InvalidRequest("; ".join(told), param=param) from None


def _where(loc: tuple[str | int, ...]) -> str:
    return ".".join(map(str, loc)) or "body"


def _secrets(source: SecretStr | None, list_url: SecretStr | None, output: SecretStr | None) -> Secrets:
    given = {SOURCE: source, LIST_URL: list_url, OUTPUT: output}
    return {use: secret.get_secret_value() for use, secret in given.items() if secret is not None}
