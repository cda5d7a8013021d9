"""Work on batches with the actors of a Ray cluster: this process leads, and has no picture in its hands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from secrets import token_bytes
from threading import Thread

import typer

from okapia.app import engine_choice
from okapia.batches.batch import Batch
from okapia.batches.ray_pool import ActorShare, Seat, joined
from okapia.batches.shard import Interrupted, ShardResult
from okapia.batches.source import SourceGone
from okapia.cli.worker_desk import Workshop, open_workshop, until_stopped, where
from okapia.cli.worker_site import Order, Place, make_site
from okapia.domain.errors import ModelError, OkapiaError
from okapia.domain.types import Failure
from okapia.models.devices import parse_device
from okapia.service.batch_request import OUTPUT, BatchRequest
from okapia.service.batch_work import seal, secrets_of
from okapia.service.kits import Kit
from okapia.service.storages import Storages, UnknownStorage
from okapia.settings import Settings
from okapia.storage.secrets import Vault

_WAIT_S = 2.0
"""For room in the cluster, or for something to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Which cluster, and how much of it; `address` as `okapia.batches.ray_pool.joined` has it."""

    address: str
    actors: int
    share: ActorShare


def work_on_cluster(settings: Settings, cluster: Cluster) -> None:
    """Work on batches until it is stopped.

    Raises:
        InvalidSettings: Ray is not installed, or a setting is wrong.
        VersionsDiffer: the cluster, or who took a batch, runs another Python, Okapia or Ray.
        ClusterUnusable: the cluster cannot be joined, or actors cannot begin there.
    """
    with open_workshop(settings) as shop, joined(cluster.address, cluster.share, actors=cluster.actors):
        orders = Orders(shop.work.kit, vault=shop.vault, storages=shop.desk.batch_desk.storages)
        until_stopped(shop.shift)
        threads = [
            Thread(target=_Desk(shop, seat, orders).work, name=f"okapia-actor-{number}", daemon=True)
            for number, seat in enumerate(
                seats(settings, cluster, roots=settings.source_roots, key=orders.key, read=shop.kits.read)
            )
        ]
        for thread in threads:
            thread.start()
        typer.echo(
            f"okapia worker: {cluster.actors} actors on the Ray cluster {cluster.address} work on batches of "
            f"{where(shop)}; Ctrl-C stops it"
        )
        try:
            shop.shift.wait()
        finally:
            for thread in threads:
                thread.join()


class Orders:
    """Makes orders of shards: what an actor is handed, with its secrets under a key of this process."""

    def __init__(self, kit_of: Callable[[Batch], Kit], *, vault: Vault, storages: Storages) -> None:
        """Open the secrets of batches and storages with what this machine has."""
        self.key = token_bytes(32)
        self._sealing = Vault(self.key)
        self._kit_of = kit_of
        self._vault = vault
        self._storages = storages

    def of(self, batch: Batch, items: bytes) -> Order:
        """Make the order of a shard.

        Raises:
            Interrupted: the batch's models are not to be had, or another Okapia took it.
            SourceGone: its storage has no name any more.
        """
        return Order(
            replace(batch, sealed_secret=self._sealed(batch)),
            items,
            self._kit_of(batch),
            self._named(batch),
            self._storages.endpoints(),
        )

    def _sealed(self, batch: Batch) -> bytes | None:
        """Give what opens the pictures' place, under this process's key; outputs are not made by actors."""
        secrets = {use: secret for use, secret in secrets_of(batch, self._vault).items() if use != OUTPUT}
        return seal(secrets, self._sealing, batch_id=batch.id)

    def _named(self, batch: Batch) -> dict[str, Place]:
        scheme, _, rest = BatchRequest.of(batch).place.address.partition(":")
        if scheme != "storage":
            return {}
        name = rest.partition("/")[0]
        try:
            return {name: self._storages.get(name)}
        except UnknownStorage as error:
            raise SourceGone(str(error)) from error


def seats(
    settings: Settings,
    cluster: Cluster,
    *,
    roots: Sequence[Path] | None,
    key: bytes,
    read: Callable[[str], bytes],
) -> list[Seat[Order]]:
    """Give the seats of a cluster that was joined; actors take them when they are asked to be ready.

    Args:
        roots, key: as `make_site` has them.
        read: gives a file by its SHA-256 that an actor lacks.
    """
    make = partial(make_site, actor_settings(settings, cluster.share), roots=roots, key=key)
    return [Seat(make, read=read, share=cluster.share) for _ in range(cluster.actors)]


def actor_settings(settings: Settings, share: ActorShare) -> Settings:
    """Give what actors are handed: these settings without secrets, and one engine for all of them."""
    if share.gpus:
        asked = parse_device(settings.device)
        device, engine, precision = asked.kind if asked.is_gpu else "cuda", "onnxruntime", settings.precision
    else:
        choice = engine_choice(settings.model_copy(update={"device": "cpu"}))
        device, engine, precision = "cpu", choice.engine, choice.precision
    theirs = {"database": "", "blobs": "", "limits": "memory://", "tls_key": None, "cache_bytes": 0}
    own = {"device": device, "engine": engine, "precision": precision, "cores": max(1, int(share.cpus))}
    return settings.model_copy(update=theirs | own)


class _Desk:
    """A thread that claims tasks whenever the actor of its seat is there to do them."""

    def __init__(self, shop: Workshop, seat: Seat[Order], orders: Orders) -> None:
        self._shift = shop.shift
        self._seat = seat
        self._orders = orders
        self._worker = shop.desk.batch_desk.worker(trade=shop.work.trade(self._work_off))

    def work(self) -> None:
        """Go on until the shift is over."""
        while not self._shift.is_over.is_set():
            try:
                has_worked = self._seat.is_ready(timeout_s=_WAIT_S) and self._worker.try_next()
            except OkapiaError as error:
                self._shift.refuse(error)
                break
            if not has_worked:
                self._shift.is_over.wait(_WAIT_S)
        self._seat.close()

    def _work_off(self, batch: Batch, items: bytes) -> ShardResult:
        try:
            return self._seat.work_off(self._orders.of(batch, items))
        except ModelError as error:
            raise Interrupted(Failure.of(error)) from error
