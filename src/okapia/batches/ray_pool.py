"""Shards worked off by actors of a Ray cluster. The ledger stays the only truth: an actor is handed a shard's
pictures by name and gives its file back, and one that is lost has cost time.

Core actors, not Ray Data, which starves on small clusters (ray-project/ray#44687).
"""

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

import structlog

from okapia.batches.shard import Interrupted, ShardResult
from okapia.domain.errors import InvalidSettings, OkapiaError
from okapia.domain.types import Failure
from okapia.domain.versions import Versions, VersionsDiffer

_log = structlog.get_logger(__name__)

Order = TypeVar("Order")
Order_contra = TypeVar("Order_contra", contravariant=True)

LOCAL = "local"
"""Address of a cluster that is this machine alone, and ends with the process that made it."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # it would tell its makers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # it would warn of its next version; actors name their device
}


class Site(Protocol[Order_contra]):
    """What is in an actor: works shards off with nothing but what it is handed."""

    def lacks(self, order: Order_contra) -> Sequence[str]:
        """Give the SHA-256 of the files that are needed first, and are not there."""
        ...

    def keep(self, sha256: str, data: bytes) -> None:
        """Take such a file."""
        ...

    def work_off(self, order: Order_contra) -> ShardResult | Failure:
        """Analyse the pictures of a shard; the failure is what an `Interrupted` would tell."""
        ...


class ClusterUnusable(OkapiaError):
    """The Ray cluster cannot be joined, or actors cannot begin there."""

    code = "cluster_unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorShare:
    """What an actor has of its node, as Ray counts it."""

    cpus: float = 1.0
    gpus: float = 0.0


@contextmanager
def joined(address: str, share: ActorShare, *, actors: int) -> Iterator[None]:
    """Belong to a cluster while the block runs.

    Args:
        address: `local`, or that of a cluster to which this machine belongs, as `ray start` prints it.
        actors: that there will be; a local cluster has room for them.

    Raises:
        InvalidSettings: Ray is not installed.
        VersionsDiffer: the cluster runs another Python or Ray.
        ClusterUnusable: it does not answer.
    """
    ray = _ray()
    # It listens on all addresses of the machine, and lets in who has the token that it makes (Ray 2.60).
    own = {"num_cpus": max(os.cpu_count() or 1, ceil(actors * share.cpus)), "include_dashboard": False}
    options = own if address == LOCAL else {}
    try:
        ray.init(address, log_to_driver=False, configure_logging=False, **options)
    except (RuntimeError, ConnectionError, ValueError) as error:
        raise _refused(error) from error
    try:
        yield
    finally:
        ray.shutdown()


class Seat(Generic[Order]):
    """A place for one actor, which is made anew when it or its node is lost. For one thread."""

    def __init__(
        self, make: Callable[[], Site[Order]], *, read: Callable[[str], bytes], share: ActorShare
    ) -> None:
        """Make no actor yet.

        Args:
            make: called in the actor, so it has to be importable there.
            read: gives a file that an actor lacks, by its SHA-256.
        """
        self._make = pickle.dumps(make)
        self._read = read
        self._share = share
        self._actor: _Handle | None = None

    def is_ready(self, *, timeout_s: float) -> bool:
        """Say whether an actor is there to work; False while the cluster has no room for it.

        Raises:
            VersionsDiffer: its node runs another Python, Okapia or Ray.
            ClusterUnusable: it cannot begin there.
        """
        if self._actor is None:
            self._actor = _Handle(self._share)
        try:
            return self._actor.is_open(self._make, timeout_s=timeout_s)
        except _Lost:
            self._let_go()
            return False

    def work_off(self, order: Order) -> ShardResult:
        """Have a shard worked off by the actor, which was ready.

        Raises:
            Interrupted: the actor or its node was lost, or met what `Site.work_off` tells.
        """
        if self._actor is None:
            raise Interrupted(Failure("actor_lost", "there is no actor"))
        try:
            for sha256 in self._actor.call("lacks", order):
                self._actor.call("keep", sha256, self._read(sha256))
            result = self._actor.call("work_off", order)
        except _Lost as error:
            self._let_go()
            raise Interrupted(Failure("actor_lost", "the actor or its node was lost")) from error
        if isinstance(result, Failure):
            raise Interrupted(result)
        return _result(result)

    def close(self) -> None:
        """Let the actor go."""
        if self._actor is not None:
            self._let_go()

    def _let_go(self) -> None:
        if self._actor is not None:
            self._actor.kill()
        self._actor = None


class _Lost(Exception):
    """An actor does not answer, and will not."""


class _Actor(Generic[Order]):
    """What Ray makes on a node."""

    def __init__(self) -> None:
        self._site: Site[Order] | None = None

    def versions(self) -> Versions:
        return Versions.here(ray=_ray().__version__)

    def open(self, make: bytes) -> None:
        """Make the site; separately, so that versions can be compared before anything is read."""
        self._site = pickle.loads(make)()  # noqa: S301 - made by the driver, whose cluster it is

    def call(self, method: str, *arguments: object) -> object:
        return getattr(self._site, method)(*arguments)


class _Handle:
    """An actor, with Ray's many errors as one of ours."""

    def __init__(self, share: ActorShare) -> None:
        ray = _ray()
        options = {"num_cpus": share.cpus, "num_gpus": share.gpus, "scheduling_strategy": "SPREAD"}
        self._ray = ray
        self._actor = ray.remote(_Actor).options(**options).remote()
        self._versions = self._actor.versions.remote()
        self._is_open = False

    def is_open(self, make: bytes, *, timeout_s: float) -> bool:
        """Say whether the actor's site is made, which it is as soon as it can; raises as `Seat.is_ready`."""
        if self._is_open:
            return True
        ready, _ = self._ray.wait([self._versions], timeout=timeout_s)
        if not ready:
            return False
        here, there = Versions.here(ray=self._ray.__version__), self._get(self._versions)
        if here != there:
            raise VersionsDiffer(expected=f"actors with {here}, as here", actual=f"one with {there}")
        self._get(self._actor.open.remote(make))
        self._is_open = True
        return True

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method of the site; what it raises comes through as Ray gives it."""
        return self._get(self._actor.call.remote(method, *arguments))

    def kill(self) -> None:
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._actor)

    def _get(self, answer: object) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(answer)
        except errors.RayTaskError as error:
            raise ClusterUnusable(f"an actor failed: {_last_line(error)}") from error
        except errors.RayError as error:
            if getattr(error, "actor_init_failed", False):
                raise ClusterUnusable(f"an actor cannot begin: {_last_line(error)}") from error
            _log.warning("actor_lost", error=type(error).__name__)
            raise _Lost from error


def _ray() -> ModuleType:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray  # noqa: PLC0415 - an extra, and seconds to import
    except ModuleNotFoundError as error:
        raise InvalidSettings("ray is missing; pip install 'okapia[ray]'") from error
    module: ModuleType = ray
    return module


def _result(result: object) -> ShardResult:
    if not isinstance(result, ShardResult):
        raise ClusterUnusable(f"expected a shard's result from an actor, got {type(result).__name__}")
    return result


def _refused(error: Exception) -> OkapiaError:
    """Say why a cluster was not joined; Ray compares its own version and Python's."""
    said = str(error)
    if not said.startswith("Version mismatch"):
        return ClusterUnusable(f"cannot join the Ray cluster: {said.strip().partition(chr(10))[0]}")
    found = [line.split(": ", 1)[1] for line in said.splitlines() if line.startswith("    ")]
    cluster_ray, cluster_python, own_ray, own_python = found
    return VersionsDiffer(
        expected=f"Python {cluster_python} with Ray {cluster_ray}, as the cluster has",
        actual=f"Python {own_python} with Ray {own_ray}",
    )


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
