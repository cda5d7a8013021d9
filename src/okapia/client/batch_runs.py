"""Any number of pictures that the server reads by itself, from a folder, a cloud or a list of URLs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path

from okapia.client.connection import Connection, at
from okapia.client.errors import WaitedTooLong
from okapia.client.options import DEFAULTS, Field, Options
from okapia.client.pages import rows
from okapia.client.reading import Answer, read, read_json, read_rows

_POLL_S = 2.0
_ENDS = frozenset({"completed", "failed", "canceled"})
_HALTS = frozenset({"paused", "needs_credentials"})
_OF_PICTURES = ("threshold", "classify", "country", "state", "latitude", "longitude", "tiles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which pictures. They lie at a `folder`, an `address` or a `storage`; without one, `images` are URLs.

    Attributes:
        folder: absolute path on the server, below one of its `source_roots`.
        address: `s3://BUCKET[/PREFIX]`, `az://ACCOUNT/CONTAINER[/PREFIX]` or `gs://BUCKET[/PREFIX]`.
        storage: a place that has a name on the server, as `NAME[/PREFIX]`.
        images: the wanted ones, by name below that place or by URL, each perhaps with a text for the results.
        list_url: where the server fetches such a list.
        secret: opens `address`; without it the server's own identity counts.
        prefix: with which the names of the wanted ones begin.
        suffixes: with one of which they end.
        first_n: how many of those, in the order of the listing.
        sample_n: how many of those then, at random; `seed` makes it the same again.
    """

    folder: str | None = None
    address: str | None = None
    storage: str | None = None
    images: Sequence[str | tuple[str, str]] | None = None
    list_url: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    prefix: str | None = None
    suffixes: Sequence[str] | None = None
    first_n: int | None = None
    sample_n: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Which frames of video files are looked at: the first one, and from there one each `every`.

    Attributes:
        unit: of `every`: `seconds` or `frames`.
        most: a clip with more frames to look at is a failure.
    """

    every: float | None = None
    unit: str | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Which files are made of the answers; what is None is left to the server.

    Attributes:
        formats: names of result formats: `megadetector`, `csv`, `jsonl`, `parquet`.
        keep_above: least confidence of a box that is written.
        top_k: most classes written for a box.
        split: `whole`, or one file a `folder` or a `camera`.
        address: place in a cloud that the files go to as well; `secret` opens it.
    """

    formats: Sequence[str] | None = None
    keep_above: float | None = None
    top_k: int | None = None
    split: str | None = None
    address: str | None = None
    secret: str | None = field(default=None, repr=False)


_MEGADETECTOR = Outputs()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Answer):
    """How many pictures ended how; `images` is None while they are listed."""

    images: int | None = None
    ended: int
    done: int
    damaged: int
    undecodable: int
    unsupported: int
    missing: int
    failed: int
    per_second: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile(Answer):
    """A file that was made of the answers.

    Attributes:
        part: the folder or the camera that it is about; None for all.
        url: gives it without a key until it expires; only from `results`.
    """

    name: str
    format: str
    part: str | None = None
    bytes: int
    sha256: str
    images: int
    url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRun(Answer):
    """A batch and where it stands.

    Attributes:
        status: `listing`, `running`, `merging`, `paused`, `needs_credentials`, `completed`, `failed` or
            `canceled`.
        message: why it stands there, for people.
    """

    id: str
    status: str
    message: str = ""
    name: str | None = None
    priority: int = 0
    progress: Progress
    files: tuple[ResultFile, ...] = ()
    created_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        return self.status in _ENDS

    @property
    def is_halted(self) -> bool:
        return self.status in _HALTS


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedPicture(Answer):
    """A picture without an answer, and why."""

    file: str
    verdict: str
    code: str
    message: str
    meta: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount(Answer):
    """The pictures of a batch, counted anew from its files; `problems` say what differs from the books."""

    is_right: bool
    images: int
    counts: Mapping[str, object]
    problems: tuple[str, ...] = ()


class BatchRuns:
    """Makes batches and follows them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        source: Source,
        options: Options = DEFAULTS,
        *,
        frames: Frames | None = None,
        outputs: Outputs = _MEGADETECTOR,
        model: str | None = None,
        name: str | None = None,
        priority: int = 0,
        no_cache: bool = False,
        idempotency_key: str | None = None,
    ) -> BatchRun:
        """Have the pictures of a source analysed; they are counted and read later.

        Args:
            options: `threshold`, `classify`, the place, `smooth_herd`, `tiles` and the models; the rest
                is a single call's.
            frames: have video files looked at as well.
            model: a profile, a model's id, or two detectors joined by `+`.
            priority: 0 to 9; those with a smaller number go first.
            no_cache: have pictures analysed again whose answer the server knows.
        """
        asked = {
            "source": _said(source),
            "options": _options(options) | ({"frames": _said(frames)} if frames else {}),
            "outputs": _said(outputs),
            "model": model,
            "detector": options.detector,
            "classifier": options.classifier,
            "name": name,
            "priority": priority,
            "no_cache": no_cache,
        }
        given = {key: value for key, value in asked.items() if value is not None}
        return self._run(
            self._connection.post(at("batches"), given, idempotency_key=idempotency_key).document
        )

    def get(self, batch_id: str) -> BatchRun:
        """Say where a batch stands."""
        return self._run(self._connection.get(at("batches", batch_id)).document)

    def all(self) -> Iterator[BatchRun]:
        """Give the account's batches, newest first."""
        return rows(self._connection, at("batches"), BatchRun, key="batches", query={})

    def pause(self, batch_id: str) -> BatchRun:
        """Halt a batch; what is being worked on is finished."""
        return self._run(self._connection.post(at("batches", batch_id, "pause")).document)

    def resume(
        self,
        batch_id: str,
        *,
        secret: str | None = None,
        list_url: str | None = None,
        output_secret: str | None = None,
    ) -> BatchRun:
        """Go on with a halted batch, with other secrets where its own were refused or have expired."""
        asked = {"secret": secret, "list_url": list_url, "output_secret": output_secret}
        given = {key: value for key, value in asked.items() if value is not None}
        return self._run(self._connection.post(at("batches", batch_id, "resume"), given).document)

    def cancel(self, batch_id: str) -> BatchRun:
        """End a batch; only what has an answer by then costs."""
        return self._run(self._connection.post(at("batches", batch_id, "cancel")).document)

    def watch(self, batch_id: str) -> Iterator[BatchRun]:
        """Give a batch as it is now, and again as often as the server likes, until it has ended or halts."""
        timing = self._connection.retrying.timing
        while True:
            reply = self._connection.get(at("batches", batch_id))
            run = self._run(reply.document)
            yield run
            if run.has_ended or run.is_halted:
                return
            timing.sleep(reply.retry_after_s or _POLL_S)

    def wait(self, batch_id: str, *, timeout_s: float) -> BatchRun:
        """Wait until a batch has ended or halts.

        Raises:
            WaitedTooLong: it has done neither in time; it goes on.
        """
        timing = self._connection.retrying.timing
        ends_at = timing.clock() + timeout_s
        for run in self.watch(batch_id):
            if run.has_ended or run.is_halted:
                break
            if timing.clock() >= ends_at:
                raise WaitedTooLong(f"batch {batch_id} is {run.status} after {timeout_s:g} s")
        return run

    def results(self, batch_id: str, *, expires_in_s: int | None = None) -> tuple[ResultFile, ...]:
        """Give the files of a completed batch, with URLs that expire."""
        query: dict[str, Field] = {} if expires_in_s is None else {"expires_in_s": expires_in_s}
        document = self._connection.get(at("batches", batch_id, "results"), query).document
        return read_rows(ResultFile, document, "files")

    def download(self, file: ResultFile, target: Path) -> None:
        """Write a file of `results` to `target`, whole or not at all; the key is not sent for it.

        Raises:
            ValueError: the file has no URL, which only `results` gives.
            OSError: `target` cannot be written.
        """
        if file.url is None:
            raise ValueError("expected a file as `results` gives it, with its URL")
        self._connection.fetch(file.url, target)

    def failures(self, batch_id: str) -> Iterator[FailedPicture]:
        """Name every picture that has no answer, so far, in the order of the listing."""
        for line in self._connection.lines(at("batches", batch_id, "failures")):
            yield read_json(FailedPicture, line.encode(), where="failure")

    def verify(self, batch_id: str) -> Recount:
        """Have the pictures counted anew, from the server's files of answers alone."""
        return read(Recount, self._connection.get(at("batches", batch_id, "verify")).document)

    def _run(self, document: object) -> BatchRun:
        return read(BatchRun, document)


def _options(options: Options) -> dict[str, object]:
    given: dict[str, object] = {
        name: value for name, value in options.fields().items() if name in _OF_PICTURES
    }
    return {**given, "smooth": "herd"} if options.smooth_herd else given


def _said(part: Source | Frames | Outputs) -> dict[str, object]:
    """Give what is set, by its name in the contract."""
    given = {one.name: getattr(part, one.name) for one in fields(part)}
    return {name: value for name, value in given.items() if value is not None}
