"""Shards worked off in an actor of a cluster, with nothing but what a driver hands over."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from okapia.app import desk_options
from okapia.batches.batch import Batch
from okapia.batches.results import BatchResults
from okapia.batches.shard import Interrupted, ShardResult
from okapia.batches.source import SourceGone
from okapia.cli.logs import configure_logs
from okapia.cli.worker_kits import KitServices
from okapia.database.engine import Database
from okapia.domain.errors import InvalidSettings, OkapiaError
from okapia.domain.types import Failure
from okapia.service.batch_outputs import OutputMaker
from okapia.service.batch_request import BatchRequest
from okapia.service.batch_sources import Sources
from okapia.service.batch_work import BatchWork
from okapia.service.kit_shelf import KitShelf
from okapia.service.kits import Kit
from okapia.service.storages import Storages, UnknownStorage
from okapia.settings import Settings
from okapia.storage.cloud_address import CloudAddress
from okapia.storage.cloud_secret import CloudSecret
from okapia.storage.folder_blobs import FolderBlobs
from okapia.storage.roots import SourceRoots
from okapia.storage.secrets import Vault

Place = tuple[CloudAddress, CloudSecret | None]


@dataclass(frozen=True, slots=True)
class Order:
    """A shard to work off.

    Attributes:
        batch: its secret sealed with the key that the site was made with.
        items: its pictures, packed.
        named: places in clouds that the batch calls by name.
        endpoints: servers, other than the clouds' own, that places may lie on.
    """

    batch: Batch
    items: bytes
    kit: Kit
    named: Mapping[str, Place] = field(default_factory=dict, repr=False)
    endpoints: frozenset[str] = frozenset()


def make_site(settings: Settings, *, roots: Sequence[Path] | None, key: bytes) -> "PictureSite":
    """Make what works shards off in the process that calls; it keeps models in the user's cache folder."""
    configure_logs(settings.log_level)
    cache = Path(platformdirs.user_cache_dir("okapia", appauthor=False))
    return PictureSite(settings, roots=roots, key=key, home=cache / "actors")


class PictureSite:
    """A `Site`: analyses pictures with the models and the settings that it is handed."""

    def __init__(self, settings: Settings, *, roots: Sequence[Path] | None, key: bytes, home: Path) -> None:
        """Look at pictures with these settings, whatever those of this machine are.

        Args:
            roots: folders that pictures may lie in; None for any.
            key: opens the secrets of orders.
            home: for models; other processes of this machine may share it.
        """
        # The roots are looked up when an order needs them: not every machine has to have them.
        self._settings = settings.model_copy(update={"home": home, "source_roots": ()})
        self._allowed = roots
        self._vault = Vault(key)
        self._shelf = KitShelf(home / "kits")
        self._services = KitServices(self._settings, self._shelf)

    def lacks(self, order: Order) -> Sequence[str]:
        """Give the SHA-256 of the kit's files that are not here."""
        return self._shelf.lacks(order.kit)

    def keep(self, sha256: str, data: bytes) -> None:
        """Take such a file; raises `ModelDamaged` when it is another."""
        self._shelf.keep(sha256, data)

    def work_off(self, order: Order) -> ShardResult | Failure:
        """Analyse the pictures of a shard where they can be had, or say what is in the way."""
        try:
            with closing(self._work(order)) as work:
                return work.work_off(order.batch, order.items)
        except Interrupted as error:
            return error.failure
        except OkapiaError as error:
            return Failure.of(error)

    def _work(self, order: Order) -> BatchWork:
        """Put together what a server has all the time, for one shard."""
        blobs = FolderBlobs(self._settings.home / "blobs")  # nothing is read there: lists are the driver's
        options = desk_options(self._settings)
        sources = Sources(
            roots=self._roots(order),
            storages=_Handed(order),
            blobs=blobs,
            fetch=options.fetch,
            max_bytes=options.max_file_bytes,
        )
        outputs = OutputMaker(BatchResults(blobs))
        service = self._services.of(order.kit)
        return BatchWork(service, sources=sources, outputs=outputs, vault=self._vault)

    def _roots(self, order: Order) -> SourceRoots | None:
        """Give the folders that pictures may be in; where there are none, no picture is to blame."""
        if self._allowed is None:
            return None
        address = BatchRequest.of(order.batch).place.address
        try:
            return SourceRoots(self._allowed if Path(address).is_absolute() else ())
        except InvalidSettings as error:
            raise SourceGone(f"not on every machine of the cluster: {error}") from error


class _Handed(Storages):
    """The named places of an order, as its driver found them."""

    def __init__(self, order: Order) -> None:
        super().__init__(Database.open("sqlite://"), Vault(bytes(32)))  # neither is used
        self._order = order

    def get(self, name: str) -> Place:
        if name not in self._order.named:
            raise UnknownStorage(name)
        return self._order.named[name]

    def endpoints(self) -> frozenset[str]:
        return self._order.endpoints
