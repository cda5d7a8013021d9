"""Batches for whoever asks: many pictures under one request, which is worked off when there is time."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection

from okapia.batches.batch import Batch, Progress, State, Verdict
from okapia.batches.closing import BatchClosing
from okapia.batches.ledger import BatchLedger
from okapia.batches.list_source import ListEntry, parse_list
from okapia.batches.results import BatchResults, Recount
from okapia.batches.store import BatchStore, Place
from okapia.database.engine import Database
from okapia.domain.callers import Caller
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import InvalidRequest, ModelError, NotFound, OkapiaError
from okapia.domain.refusals import WrongState
from okapia.formats.base import format_named
from okapia.formats.shard_file import ShardRow
from okapia.service.batch_outputs import OutputFile, output_files
from okapia.service.batch_request import OUTPUT, BatchRequest, Secrets
from okapia.service.batch_sources import Sources
from okapia.service.batch_work import seal, secrets_of
from okapia.service.kits import Kits
from okapia.storage.blobs import BlobStore
from okapia.storage.secrets import Vault
from okapia.storage.signing import UrlSigner

__all__ = [
    "Batch",
    "BatchPage",
    "Batches",
    "Link",
    "ListEntry",
    "NewBatch",
    "Overview",
    "Recount",
    "State",
    "TooManyBatches",
    "parse_list",
]

MOST_ACTIVE = 300
"""Batches of one account that have not ended; as Microsoft's API has it."""

_RATE_OVER = timedelta(minutes=5)
_CLOUD_LIFE_S = 604_800
"""Seven days: no cloud signs for longer."""

_LOOK_EVERY_S = 0.5
_ENDED_WELL = frozenset({Verdict.DONE.value, Verdict.DAMAGED.value})


class TooManyBatches(OkapiaError):
    """Too many of the account's batches have not ended."""

    code = "too_many_batches"
    retry_after_s = 600

    def __init__(self) -> None:
        super().__init__(f"expected fewer than {MOST_ACTIVE} batches that have not ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """What somebody wants.

    Attributes:
        secrets: what opens its places; kept encrypted until the batch ends.
        entries: the list of the wanted pictures, where one came with the request.
        worked_by: name of the only worker that may do it (`Batch.worked_by`).
    """

    request: BatchRequest
    secrets: Secrets = field(default_factory=dict, repr=False)
    entries: Iterable[ListEntry] | None = None
    priority: int = 0
    worked_by: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """A batch, and how far it is.

    Attributes:
        per_second: pictures that end a second, lately; None when none has.
        seconds_left: at that rate; None when it cannot be told, or there is nothing left.
    """

    batch: Batch
    progress: Progress
    per_second: float | None
    seconds_left: float | None

    @property
    def request(self) -> BatchRequest:
        return BatchRequest.of(self.batch)

    @property
    def outputs(self) -> tuple[OutputFile, ...]:
        """The files that were made; none before the batch has completed."""
        return output_files(self.batch)


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Some of an account's batches, newest first; `next_cursor` is None on the last page."""

    batches: tuple[Overview, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Link:
    """A file that was made, and where it can be fetched without credentials; `url` is a secret."""

    file: OutputFile
    url: str = field(repr=False)


class Batches:
    """Takes batches and tells of them; all of it blocks on the database.

    Somebody else's batch and an unknown one are the same: `NotFound`.
    """

    def __init__(
        self,
        database: Database,
        *,
        store: BatchStore,
        ledger: BatchLedger,
        closing: BatchClosing,
        blobs: BlobStore,
        sources: Sources,
        vault: Vault,
        signer: UrlSigner,
        wake: Callable[[], None],
        kits: Kits | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """Call `wake` when there is something to do."""
        self._database = database
        self._store = store
        self._ledger = ledger
        self._closing = closing
        self._blobs = blobs
        self._results = BatchResults(blobs)
        self._sources = sources
        self._vault = vault
        self._signer = signer
        self._wake = wake
        self._kits = kits
        self._clock = clock

    def create(self, caller: Caller, new: NewBatch) -> Batch:
        """Take a batch; its pictures are found and counted later.

        Raises:
            InvalidRequest, SourceRefused: its places, secrets, list or formats are none, or not to be had.
            TooManyBatches: `MOST_ACTIVE` of the account's have not ended.
        """
        self._check(new.request, new.secrets)
        with self._database.read() as connection:
            self._check_room(connection, caller)
        batch_id, request, secrets = uuid4().hex, new.request, new.secrets
        if new.entries is not None:
            key, secrets = self._sources.keep_list(batch_id, new.entries, secrets)
            request = replace(request, place=replace(request.place, list_key=key))
        if self._kits is not None and not new.worked_by:
            with suppress(ModelError):  # what is not installed here, workers have or wait for
                self._kits.put(batch_id, request.choice)
        batch = Batch(
            id=batch_id,
            user_id=caller.user_id,
            key_id=caller.key_id,
            state=State.LISTING,
            created_at=self._clock(),
            request=request.as_row(),
            priority=new.priority,
            sealed_secret=seal(secrets, self._vault, batch_id=batch_id),
            worked_by=new.worked_by,
        )
        with self._database.write() as connection:
            self._check_room(connection, caller)
            self._store.add(connection, batch)
        self._wake()
        return batch

    def get(self, caller: Caller, batch_id: str) -> Overview:
        with self._database.read() as connection:
            return self._overview(connection, self._mine(connection, caller, batch_id))

    def page(self, caller: Caller, *, cursor: str | None = None, limit: int = 50) -> BatchPage:
        """List the caller's batches; raises `InvalidRequest` for a cursor that is none."""
        before = _place(cursor) if cursor else None
        with self._database.read() as connection:
            found = self._store.page(connection, caller.user_id, before=before, limit=limit + 1)
            shown = tuple(self._overview(connection, batch) for batch in found[:limit])
        return BatchPage(shown, _cursor(found[limit - 1]) if len(found) > limit else None)

    def pause(self, caller: Caller, batch_id: str) -> Batch:
        """Begin no more tasks of a batch; raises `WrongState` when it has ended or is halted."""
        with self._database.write() as connection:
            batch = self._mine(connection, caller, batch_id)
            halted = self._store.halt(connection, batch_id, State.PAUSED, message="paused by its owner")
        return self._moved(halted, batch, "pauses")

    def resume(self, caller: Caller, batch_id: str, *, secrets: Secrets | None = None) -> Batch:
        """Go on with a halted batch, with other secrets in place of those of the same use.

        Raises:
            WrongState: it is not halted, or has ended.
            InvalidRequest: a secret has none of its place's forms.
        """
        with self._database.write() as connection:
            batch = self._mine(connection, caller, batch_id)
            sealed = self._sealed_anew(batch, secrets) if secrets else None
            resumed = self._store.resume(connection, batch_id, sealed_secret=sealed)
        self._wake()
        return self._moved(resumed, batch, "goes on")

    def cancel(self, caller: Caller, batch_id: str) -> Batch:
        """End a batch; what has an answer stays and is paid. One that was canceled before stays so.

        Raises:
            WrongState: it has ended otherwise.
        """
        with self._database.write() as connection:
            batch = self._mine(connection, caller, batch_id)
            if batch.state is State.CANCELED:
                return batch
            ended = self._closing.end(connection, batch_id, State.CANCELED, message="canceled by its owner")
        return self._moved(ended, batch, "is canceled")

    def rows(self, caller: Caller, batch_id: str) -> Iterator[ShardRow]:
        """Give the pictures of finished shards in the order of the listing; raises as `BatchResults.rows`."""
        with self._database.read() as connection:
            self._mine(connection, caller, batch_id)
            files = [file for file, _ in self._ledger.files(connection, batch_id)]
        return self._results.rows(files)

    def failures(self, caller: Caller, batch_id: str) -> Iterator[ShardRow]:
        """Give the pictures of finished shards that have no answer; only shards that hold some are read."""
        with self._database.read() as connection:
            self._mine(connection, caller, batch_id)
            files = self._ledger.files(connection, batch_id)
        lacking = [file for file, counts in files if counts.answered < counts.total]
        return (row for row in self._results.rows(lacking) if row.verdict not in _ENDED_WELL)

    def verify(self, caller: Caller, batch_id: str) -> Recount:
        """Count every picture again, from the files alone, and look for each that was listed."""
        with self._database.read() as connection:
            self._mine(connection, caller, batch_id)
            files = self._ledger.files(connection, batch_id)
            return self._results.recount(files, listed=self._ledger.listed(connection, batch_id))

    def links(
        self, caller: Caller, batch_id: str, *, base_url: str, path: str, expires_in_s: int
    ) -> list[Link]:
        """Say where the files of a batch can be fetched by whoever has the URL, for a time.

        Args:
            base_url: of this server.
            path: of the route that calls `open_output`, with `{id}` and `{name}`.
        """
        with self._database.read() as connection:
            batch = self._mine(connection, caller, batch_id)
        files = output_files(batch)
        return [Link(file, self._url(batch, file, base_url, path, expires_in_s)) for file in files]

    def open_output(
        self, batch_id: str, name: str, *, path: str, query: str
    ) -> tuple[OutputFile, Iterator[bytes]]:
        """Give a file, piece by piece, to whoever has its signed URL, which `path` and `query` are of.

        Raises:
            SignatureInvalid, SignatureExpired, NotFound.
            StorageError: while iterating.
        """
        self._signer.verify(path, query, method="GET", now=self._clock().timestamp())
        with self._database.read() as connection:
            batch = self._store.find(connection, batch_id)
        file = next((file for file in output_files(batch) if file.name == name), None) if batch else None
        if file is None:
            raise NotFound("expected a file of a batch, there is none of this name")
        return file, self._blobs.chunks(file.key)

    def changes(self, caller: Caller, batch_id: str, *, since: Overview | None, timeout_s: float) -> Overview:
        """Wait until a batch has changed since it was looked at, at most so long; gives how it is then."""
        until = time.monotonic() + timeout_s
        while True:
            now = self.get(caller, batch_id)
            is_new = since is None or (now.batch, now.progress) != (since.batch, since.progress)
            if is_new or now.batch.state.is_final or time.monotonic() >= until:
                return now
            time.sleep(_LOOK_EVERY_S)

    def forget_ended(self, *, before: datetime) -> None:
        """Delete batches that ended before then, with their files."""
        with self._database.read() as connection:
            ended = self._store.ended_before(connection, before)
        for batch_id in ended:
            for key in list(self._blobs.keys(f"batches/{batch_id}")):
                self._blobs.delete(key)
            with self._database.write() as connection:
                self._store.forget(connection, batch_id)

    def _mine(self, connection: Connection, caller: Caller, batch_id: str) -> Batch:
        batch = self._store.get(connection, caller.user_id, batch_id)
        if batch is None:
            raise NotFound("expected the id of one of your batches, there is none of this id")
        return batch

    def _overview(self, connection: Connection, batch: Batch) -> Overview:
        progress = self._ledger.progress(connection, batch.id)
        since = max(self._clock() - _RATE_OVER, batch.created_at)
        lately = self._ledger.recent(connection, batch.id, since=since)
        seconds = (self._clock() - since).total_seconds()
        rate = lately / seconds if lately and seconds > 0 and not batch.state.is_final else None
        left = (batch.images or 0) - progress.counts.total
        return Overview(batch, progress, rate, left / rate if rate and left > 0 else None)

    def _sealed_anew(self, batch: Batch, secrets: Secrets) -> bytes | None:
        together = {**secrets_of(batch, self._vault), **secrets}
        self._check(BatchRequest.of(batch), together)
        return seal(together, self._vault, batch_id=batch.id)

    def _check(self, request: BatchRequest, secrets: Secrets) -> None:
        """Say at once what is wrong with a request, as far as nobody outside has to be asked."""
        self._sources.check(request.place, secrets)
        for name in request.outputs.formats:
            format_named(name)
        if request.outputs.address:
            self._sources.writer(request.outputs.address, secrets.get(OUTPUT))

    def _check_room(self, connection: Connection, caller: Caller) -> None:
        if self._store.active(connection, caller.user_id) >= MOST_ACTIVE:
            raise TooManyBatches

    def _moved(self, moved: Batch | None, before: Batch, what: str) -> Batch:
        if moved is None:
            raise WrongState(f"expected a batch that {what} from here, it is {before.state.value}")
        return moved

    def _url(self, batch: Batch, file: OutputFile, base_url: str, route: str, expires_in_s: int) -> str:
        outside = self._blobs.download_url(
            file.key, expires_in_s=min(expires_in_s, _CLOUD_LIFE_S), filename=file.name
        )
        if outside is not None:
            return outside
        path = route.format(id=batch.id, name=file.name)
        expires_at = int(self._clock().timestamp()) + expires_in_s
        query = self._signer.sign(path, method="GET", content_type="", max_bytes=0, expires_at=expires_at)
        return f"{base_url}{path}?{query}"


def _cursor(batch: Batch) -> str:
    return f"{batch.created_at.isoformat()}_{batch.id}"


def _place(cursor: str) -> Place:
    moment, _, batch_id = cursor.partition("_")
    try:
        return datetime.fromisoformat(moment), batch_id
    except ValueError:
        raise InvalidRequest("expected a `next_cursor` of before as the cursor", param="cursor") from None
