"""One worker process: what it opens, and how long it goes on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event
from types import FrameType

import typer

from okapia.app import build_service, desk_options, kit_rules
from okapia.batches.results import BatchResults
from okapia.cli.logs import configure_logs
from okapia.cli.worker_kits import KitServices, KitWork
from okapia.database.instances import SEEN_EVERY_S
from okapia.domain.errors import OkapiaError
from okapia.service import Service
from okapia.service.batch_outputs import OutputMaker
from okapia.service.batch_sources import Sources
from okapia.service.batch_work import BatchWork
from okapia.service.desk import SWEEP_EVERY_S, Desk, DeskOptions
from okapia.service.housekeeping import Housekeeper
from okapia.service.kit_shelf import KitShelf
from okapia.service.kits import Kits
from okapia.service.storages import VAULT
from okapia.settings import Settings
from okapia.storage.blob_stores import open_blobs
from okapia.storage.blobs import BlobStore
from okapia.storage.secrets import Vault, load_or_make_secret

_LOOK_EVERY_S = 0.5


@dataclass(slots=True)
class Shift:
    """Goes on until somebody stops it, or a batch turns up that this process must not work on."""

    is_over: Event = field(default_factory=Event)
    refusal: OkapiaError | None = None

    def refuse(self, error: OkapiaError) -> None:
        """End it, and let it raise."""
        self.refusal = error
        self.is_over.set()

    def wait(self) -> None:
        """Return when it is over.

        Raises:
            OkapiaError: what it was refused with.
        """
        while not self.is_over.wait(_LOOK_EVERY_S):  # a wait without end hears no signal on Windows
            pass
        if self.refusal is not None:
            raise self.refusal


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a worker process has opened.

    Attributes:
        work: does the tasks of batches.
    """

    settings: Settings
    desk: Desk
    kits: Kits
    vault: Vault
    work: KitWork
    shift: Shift


@contextmanager
def open_workshop(settings: Settings) -> Iterator[Workshop]:
    """Open the database, the blob store and the models' service; what is under way in the end is finished.

    Raises:
        InvalidSettings, DatabaseUnavailable, DeviceUnavailable: something cannot be had.
    """
    configure_logs(settings.log_level)
    service = build_service(settings, formats=settings.http_formats)
    options = replace(desk_options(settings), batch_workers=0)
    desk = Desk(service, options)
    services = KitServices(settings, KitShelf(settings.home / "kits"))
    housekeeper = _housekeeper(desk, service, services)
    try:
        desk.bury_the_dead()
        housekeeper.start()
        yield _workshop(settings, desk, options, service, services)
    finally:
        desk.stop_working()
        housekeeper.stop()
        services.close()
        service.close()
        desk.close()


def work_here(settings: Settings) -> None:
    """Work on batches with the threads of this process until it is stopped; raises as `Shift.wait` does."""
    with open_workshop(settings) as shop:
        until_stopped(shop.shift)
        shop.desk.batch_desk.start(workers=max(settings.batch_workers, 1), trade=shop.work.trade())
        typer.echo(f"okapia worker: works on the batches of {where(shop)}; Ctrl-C stops it")
        shop.shift.wait()


def until_stopped(shift: Shift) -> None:
    """End a shift when the process is asked to stop; what is under way is finished then."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        shift.is_over.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def where(shop: Workshop) -> str:
    """Name the database without its password."""
    return shop.desk.database.engine.url.render_as_string(hide_password=True)


def _workshop(
    settings: Settings, desk: Desk, options: DeskOptions, service: Service, services: KitServices
) -> Workshop:
    blobs = open_blobs(settings.blobs, home=settings.home)
    vault = Vault(load_or_make_secret(settings.home, VAULT))
    kits = Kits(blobs, kit_rules(settings))
    shift = Shift()
    work = KitWork(
        service,
        kits,
        services=services,
        work_with=lambda one: _batch_work(one, desk, options, blobs=blobs, vault=vault),
        refuse=shift.refuse,
    )
    return Workshop(settings, desk, kits, vault, work, shift)


def _batch_work(
    service: Service, desk: Desk, options: DeskOptions, *, blobs: BlobStore, vault: Vault
) -> BatchWork:
    sources = Sources(
        roots=options.roots,
        storages=desk.batch_desk.storages,
        blobs=blobs,
        fetch=options.fetch,
        max_bytes=options.max_file_bytes,
    )
    return BatchWork(service, sources=sources, outputs=OutputMaker(BatchResults(blobs)), vault=vault)


def _housekeeper(desk: Desk, service: Service, services: KitServices) -> Housekeeper:
    """Keep this process known as alive; what is kept how long is the servers' business."""
    return Housekeeper(
        often=(desk.instance.beat, desk.database.checkpoint),
        seldom=(desk.bury_the_dead, service.models.evict_idle, services.evict_idle),
        often_s=SEEN_EVERY_S,
        seldom_every=SWEEP_EVERY_S // SEEN_EVERY_S,
    )
