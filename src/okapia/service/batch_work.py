"""What the tasks of a batch need, in this process: its place, its pictures' answers, its files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import orjson

from okapia.batches.batch import Batch, ShardFile
from okapia.batches.items import unpack
from okapia.batches.selection import Selection
from okapia.batches.shard import Interrupted, Picture, ShardResult, work_off
from okapia.batches.source import Source
from okapia.batches.worker import Trade
from okapia.domain.clips import MAX_CLIP_BYTES
from okapia.domain.clock import utc_now
from okapia.domain.errors import ModelError
from okapia.domain.types import Failure, ImageResult
from okapia.formats.base import RunInfo
from okapia.service.analysis import NamedImage, Service
from okapia.service.batch_outputs import OutputMaker
from okapia.service.batch_request import OUTPUT, BatchRequest, Secrets
from okapia.service.batch_sources import Sources
from okapia.service.manifest import Manifest
from okapia.storage.secrets import Sealed, Vault

_READERS = 8
"""Pictures read at a time: a store far away answers late, and the networks must not wait for it."""

PutOutside = Callable[[Path, str], None]


class BatchWork:
    """Does the tasks of batches with the service of this process; safe to use from several threads."""

    def __init__(self, service: Service, *, sources: Sources, outputs: OutputMaker, vault: Vault) -> None:
        self._service = service
        self._sources = sources
        self._outputs = outputs
        self._vault = vault
        self._readers = ThreadPoolExecutor(_READERS, "okapia-read")

    @property
    def trade(self) -> Trade:
        """What a worker of this process can do."""
        return Trade(
            open_source=self.open_source, selection=_selection, work_off=self.work_off, finish=self.finish
        )

    def open_source(self, batch: Batch) -> Source:
        """Give the place that a batch's pictures come from; raises what `Sources.open` raises."""
        request = BatchRequest.of(batch)
        least_bytes = MAX_CLIP_BYTES if request.options.frames else 0
        secrets = secrets_of(batch, self._vault)
        return self._sources.open(batch, request.place, secrets, least_bytes=least_bytes)

    def work_off(self, batch: Batch, items: bytes) -> ShardResult:
        """Analyse the pictures of a shard.

        Raises:
            Interrupted: the place, the models or the machine failed; nothing of the shard counts.
        """
        request = BatchRequest.of(batch)
        source = self.open_source(batch)
        try:
            return work_off(unpack(items), source, partial(self._analyse, batch, request))
        except ModelError as error:
            raise Interrupted(Failure.of(error)) from error

    def finish(
        self, batch: Batch, files: list[ShardFile], check: Callable[[], None]
    ) -> Sequence[Mapping[str, object]]:
        """Put the files of a batch together; gives what is recorded of its outputs.

        Args:
            check: called now and then; what it raises ends the work.
        """
        request = BatchRequest.of(batch)
        made = self._outputs.make(
            batch,
            request,
            files,
            self._info(request),
            put_outside=self._outside(batch, request),
            check=check,
        )
        return [asdict(file) for file in made]

    def close(self) -> None:
        """Let go of the threads that read."""
        self._readers.shutdown()

    def _analyse(
        self, batch: Batch, request: BatchRequest, pictures: Iterator[Picture]
    ) -> Iterator[ImageResult]:
        # The pipeline asks for a few pictures more than it works on: those are read meanwhile.
        ahead = ((picture.name, self._readers.submit(picture.read)) for picture in pictures)
        images = (NamedImage(name, data.result) for name, data in ahead)
        remembered = self._service.remembered.of(batch.user_id) if request.uses_cache else None
        return self._service.analyze_many(
            images, request.options, choice=request.choice, remembered=remembered
        )

    def _outside(self, batch: Batch, request: BatchRequest) -> PutOutside | None:
        if not request.outputs.address:
            return None
        secret = secrets_of(batch, self._vault).get(OUTPUT)
        return self._sources.writer(request.outputs.address, secret)

    def _info(self, request: BatchRequest) -> RunInfo:
        """Say in the files what made them."""
        now = utc_now().astimezone()
        classifier = request.choice.classifier
        return RunInfo(
            detector=request.choice.detector,
            detection_completed_at=now,
            typical_detection_threshold=request.options.threshold,
            classifier=classifier,
            classification_completed_at=now if classifier else None,
            manifest=Manifest.of(
                self._service,
                request.choice,
                request.options,
                keep_above=request.outputs.keep_above,
                top_k=request.outputs.top_k,
            ).as_json(),
        )


def seal(secrets: Secrets, vault: Vault, *, batch_id: str) -> bytes | None:
    """Encrypt what opens a batch's places; None when there is nothing."""
    if not secrets:
        return None
    return vault.seal(orjson.dumps(dict(secrets)).decode(), owner=batch_id).encode()


def secrets_of(batch: Batch, vault: Vault) -> Secrets:
    """Give what opens a batch's places; raises `SecretDamaged` when it was sealed by another server."""
    if batch.sealed_secret is None:
        return {}
    opened: dict[str, str] = orjson.loads(vault.open(Sealed(batch.sealed_secret.decode()), owner=batch.id))
    return opened


def _selection(batch: Batch) -> Selection:
    return BatchRequest.of(batch).selection
