"""`okapia worker`: a process that works on batches, on this machine or another."""

from typing import Annotated

import typer

_THREADS = "Cores that are used; all unless OKAPIA_CORES says otherwise."
_DEVICE = "auto, cpu, cuda:N, tensorrt:N or directml; auto unless OKAPIA_DEVICE says otherwise."
_PROCESSES = "Worker processes, each with its part of the cores; one uses all cores by threads."
_RAY = (
    "Hand the work to actors of a Ray cluster: `local`, or the address of one that this machine belongs to."
)


def worker(
    threads: Annotated[int | None, typer.Option(min=1, help=_THREADS)] = None,
    device: Annotated[str | None, typer.Option(help=_DEVICE)] = None,
    processes: Annotated[int, typer.Option(min=1, help=_PROCESSES)] = 1,
    ray: Annotated[str | None, typer.Option(help=_RAY)] = None,
    actors: Annotated[int, typer.Option(min=1, help="With --ray: actors, each with its own models.")] = 1,
    cpus_per_actor: Annotated[float, typer.Option(min=0.1, help="With --ray: cores of each actor.")] = 1.0,
    gpus_per_actor: Annotated[float, typer.Option(min=0.0, help="With --ray: GPUs of each actor.")] = 0.0,
) -> None:
    """Work on the batches of the database that the settings name, until it is stopped.

    Needs no server, and no models: what a batch was taken with is taken from the blob store by its hash.
    """
    from okapia.domain.errors import InvalidSettings
    from okapia.settings import load_settings

    settings = load_settings(cores=threads, device=device)
    if ray is None and processes == 1:
        from okapia.cli.worker_desk import work_here

        work_here(settings)
    elif ray is None:
        from okapia.cli.worker_processes import work_side_by_side

        raise typer.Exit(work_side_by_side(settings, processes=processes))
    elif processes > 1:
        raise InvalidSettings("expected --processes or --ray, got both: actors are processes")
    else:
        from okapia.batches.ray_pool import ActorShare
        from okapia.cli.worker_ray import Cluster, work_on_cluster

        share = ActorShare(cpus=cpus_per_actor, gpus=gpus_per_actor)
        work_on_cluster(settings, Cluster(address=ray, actors=actors, share=share))
