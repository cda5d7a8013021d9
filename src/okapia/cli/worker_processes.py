"""Several worker processes under one: they end with it, however it ends; one that crashed is begun anew."""

import os
import sys
from multiprocessing import connection, get_context, parent_process
from multiprocessing.process import BaseProcess
from threading import Thread

import structlog
import typer

from okapia.cli.worker_desk import Shift, until_stopped, work_here
from okapia.domain.errors import OkapiaError
from okapia.models.runtime import usable_cores
from okapia.settings import Settings

_log = structlog.get_logger(__name__)

_REFUSED = 2
"""Exit code of a worker that must not work on a batch, or cannot begin: another would not either."""

_PAUSE_S = 5.0


def work_side_by_side(settings: Settings, *, processes: int) -> int:
    """Have some processes work on batches until this one is stopped; gives the exit code.

    Each has its part of the cores where the settings leave that open.
    """
    cores = settings.cores or max(1, usable_cores() // processes)
    theirs = settings.model_copy(update={"cores": cores})
    shift = Shift()
    until_stopped(shift)
    team = [_begin(theirs) for _ in range(processes)]
    try:
        while not shift.is_over.is_set():
            connection.wait([worker.sentinel for worker in team], timeout=0.5)
            if any(worker.exitcode == _REFUSED for worker in team):
                return _REFUSED
            team = [worker if worker.is_alive() else _begin_anew(worker, theirs, shift) for worker in team]
        return 0
    finally:
        for worker in team:
            worker.terminate()
        for worker in team:
            worker.join()


def _begin(settings: Settings) -> BaseProcess:
    worker = get_context("spawn").Process(target=_work, args=(settings,), name="okapia-worker")
    worker.start()
    return worker


def _begin_anew(crashed: BaseProcess, settings: Settings, shift: Shift) -> BaseProcess:
    _log.warning("worker_crashed", exit_code=crashed.exitcode)
    shift.is_over.wait(_PAUSE_S)
    return _begin(settings)


def _work(settings: Settings) -> None:
    Thread(target=_end_with_parent, name="okapia-parent", daemon=True).start()
    try:
        work_here(settings)
    except OkapiaError as error:
        typer.echo(f"okapia: error[{error.code}]: {error}", err=True)
        sys.exit(_REFUSED)


def _end_with_parent() -> None:
    """End this process at once when its parent has ended without ending it."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
