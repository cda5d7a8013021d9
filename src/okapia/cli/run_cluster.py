"""A run's pictures looked at by the actors of a Ray cluster, whose machines see the same folders."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from secrets import token_bytes

from okapia.app import kit_rules
from okapia.batches.batch import Batch
from okapia.batches.ray_pool import ActorShare, Seat, joined
from okapia.batches.shard import Interrupted, ShardResult
from okapia.cli.run_halt import Halt, Halted
from okapia.cli.worker_ray import Cluster, seats
from okapia.cli.worker_site import Order
from okapia.models.devices import parse_device
from okapia.service.batch_request import BatchRequest
from okapia.service.kits import Kit, Kits
from okapia.settings import Settings
from okapia.storage.blob_stores import open_blobs
from okapia.vision.header import FORMATS

_LOST = "actor_lost"
_WAIT_S = 2.0


class Actors:
    """Works off shards of a run elsewhere; from any number of threads."""

    def __init__(self, places: Sequence[Seat[Order]], kit_of: Callable[[Batch], Kit]) -> None:
        self.number = len(places)
        self._kit_of = kit_of
        self._free: SimpleQueue[Seat[Order]] = SimpleQueue()
        for place in places:
            self._free.put(place)

    def work_off(self, batch: Batch, packed: bytes, *, halt: Halt) -> ShardResult:
        """Have the pictures of a shard analysed.

        Raises:
            Interrupted: the actor or its node was lost; another one may do it.
            Halted: the run stops, perhaps because of what was met there.
            VersionsDiffer, ClusterUnusable: the cluster cannot do it.
        """
        place = self._free.get()
        try:
            while not place.is_ready(timeout_s=_WAIT_S):
                if halt.is_set:
                    raise Halted
            return place.work_off(Order(batch, packed, self._kit_of(batch)))
        except Interrupted as error:
            if error.failure.code == _LOST:
                raise
            halt.set(error)
            raise Halted from error
        finally:
            self._free.put(place)


@contextmanager
def on_cluster(settings: Settings, address: str, *, actors: int) -> Iterator[Actors]:
    """Join a cluster for a run; a GPU an actor where the settings name one.

    Raises:
        InvalidSettings: Ray is not installed.
        VersionsDiffer, ClusterUnusable: the cluster cannot be joined.
    """
    share = ActorShare(gpus=float(parse_device(settings.device).is_gpu))
    cluster = Cluster(address=address, actors=actors, share=share)
    # Folders may hold more formats than a server takes.
    rules = kit_rules(settings.model_copy(update={"http_formats": FORMATS}))
    kits = Kits(open_blobs(settings.blobs, home=settings.home), rules)
    with joined(address, share, actors=actors):
        places = seats(settings, cluster, roots=None, key=token_bytes(32), read=kits.read)
        try:
            yield Actors(places, lambda batch: kits.make(BatchRequest.of(batch).choice))
        finally:
            for place in places:
                place.close()
