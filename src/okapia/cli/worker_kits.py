"""Work on batches with the models that they were taken with, whatever is installed on this machine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from threading import Lock

from okapia.app import build_service, engine_choice
from okapia.batches.batch import Batch, ShardFile
from okapia.batches.shard import Interrupted, ShardResult
from okapia.batches.worker import Trade
from okapia.domain.errors import ModelError
from okapia.domain.models import ModelChoice
from okapia.domain.storage_errors import BlobMissing
from okapia.domain.types import Failure
from okapia.domain.versions import Versions, VersionsDiffer
from okapia.service import Service
from okapia.service.batch_request import BatchRequest
from okapia.service.batch_work import BatchWork
from okapia.service.kit_shelf import KitHome, KitShelf
from okapia.service.kits import Kit, Kits
from okapia.settings import Settings

_KITS_KNOWN = 64


class KitServices:
    """Services that answer with the models of a kit, on the device of these settings; one a kit."""

    def __init__(self, settings: Settings, shelf: KitShelf) -> None:
        self._settings = settings
        self._engine = engine_choice(settings)
        self._shelf = shelf
        self._lock = Lock()
        self._services: dict[str, Service] = {}

    def fill(self, kit: Kit, read: Callable[[str], bytes]) -> None:
        """Take the files that the shelf lacks; raises what `read` and `KitShelf.keep` do."""
        for sha256 in self._shelf.lacks(kit):
            self._shelf.keep(sha256, read(sha256))

    def of(self, kit: Kit) -> Service:
        """Give the service of a kit, of which nothing lacks; models are loaded when first asked for.

        Raises:
            ModelError, StorageUnavailable: the kit cannot be installed.
        """
        with self._lock:
            if kit.sha256 not in self._services:
                settings = self._settings_of(kit, self._shelf.home(kit))
                self._services[kit.sha256] = build_service(settings, formats=kit.manner.http_formats)
            return self._services[kit.sha256]

    def evict_idle(self) -> None:
        """Drop models that nobody used lately."""
        for service in list(self._services.values()):
            service.models.evict_idle()

    def close(self) -> None:
        """Finish what is queued."""
        for service in self._services.values():
            service.close()

    def _settings_of(self, kit: Kit, home: KitHome) -> Settings:
        """Give this machine's settings with all that changes answers as the kit has it."""
        engine = {
            "engine": self._engine.engine,
            "precision": self._engine.precision,
            "device": str(self._engine.device),
        }
        ranges = {name: home.ranges.get(name) for name in ("geofence", "species_list")}
        return self._settings.model_copy(
            update={"home": home.path} | engine | ranges | asdict(kit.manner),
        )


class KitWork:
    """Does the tasks of batches, each with its own kit; safe to use from several threads."""

    def __init__(
        self,
        service: Service,
        kits: Kits,
        *,
        services: KitServices,
        work_with: Callable[[Service], BatchWork],
        refuse: Callable[[VersionsDiffer], None],
    ) -> None:
        """Answer with `service` where what is installed here is what a batch was taken with.

        Args:
            refuse: told when a batch was taken by another Okapia or Python.
        """
        self._own = service
        self._kits = kits
        self._services = services
        self._refuse = refuse
        self._work_with = lru_cache(None)(work_with)
        self._kit_of = lru_cache(_KITS_KNOWN)(self._read_kit)

    def trade(self, work_off: Callable[[Batch, bytes], ShardResult] | None = None) -> Trade:
        """Give what a worker can do; `work_off` analyses shards in place of this process."""
        own = self._work_with(self._own).trade
        return replace(own, work_off=work_off or self.work_off, finish=self.finish)

    def kit(self, batch: Batch) -> Kit:
        """Give what a batch was taken with; what is installed here where it was taken without a kit.

        Raises:
            Interrupted: another Okapia or Python took it, or its models are not to be had.
        """
        try:
            return self._kit_of(batch.id, BatchRequest.of(batch).choice)
        except VersionsDiffer as error:
            self._refuse(error)
            raise Interrupted(Failure.of(error)) from error
        except ModelError as error:
            raise Interrupted(Failure.of(error)) from error

    def work_off(self, batch: Batch, items: bytes) -> ShardResult:
        """Analyse the pictures of a shard; raises `Interrupted`, also as `kit` does."""
        return self._work(batch).work_off(batch, items)

    def finish(
        self, batch: Batch, files: list[ShardFile], check: Callable[[], None]
    ) -> Sequence[Mapping[str, object]]:
        """Do as `BatchWork.finish` does; raises `Interrupted` also as `kit` does."""
        return self._work(batch).finish(batch, files, check)

    def _work(self, batch: Batch) -> BatchWork:
        kit = self.kit(batch)
        try:
            return self._work_with(self._service(kit, BatchRequest.of(batch).choice))
        except ModelError as error:
            raise Interrupted(Failure.of(error)) from error

    def _read_kit(self, batch_id: str, choice: ModelChoice) -> Kit:
        try:
            kit = self._kits.get(batch_id)
        except BlobMissing:
            return self._kits.make(choice)
        here = Versions.here()
        if kit.versions != here:
            raise VersionsDiffer(expected=f"{kit.versions}, which took batch {batch_id}", actual=f"{here}")
        return kit

    def _service(self, kit: Kit, choice: ModelChoice) -> Service:
        if self._is_own(kit, choice):
            return self._own
        self._services.fill(kit, self._kits.read)
        return self._services.of(kit)

    def _is_own(self, kit: Kit, choice: ModelChoice) -> bool:
        """Say whether this process answers as the kit does: by what is installed, and what is in memory."""
        try:
            if self._kits.make(choice) != kit:
                return False
            loaded = {report.model_id: report.sha256 for report in self._own.models.pipeline(choice).reports}
        except ModelError:
            return False
        return loaded == {parcel.card.id: parcel.files[parcel.network] for parcel in kit.models}
