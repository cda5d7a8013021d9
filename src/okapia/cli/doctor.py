"""`okapia doctor`: what is here, what is missing, and what to do about it."""

import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from okapia.cli.findings import Finding, as_text
from okapia.cli.findings import as_json as findings_as_json

if TYPE_CHECKING:
    from okapia.settings import Settings

    Check = Callable[[Settings], Iterator[Finding]]

GB = 1_000_000_000
DISK_NEEDED = 1 * GB
"""Pulling lite needs the archives (203 MB), the converted networks (54 MB) and some air."""
MEMORY_NEEDED = 1 * GB


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
    exposed: Annotated[
        bool, typer.Option("--exposed", help="Check a server that strangers can reach, in place of the rest.")
    ] = False,
) -> None:
    """Check this installation; exit code 1 when something must be done."""
    from okapia.cli.logs import configure_logs
    from okapia.settings import load_settings

    settings = load_settings()
    configure_logs(settings.log_level)
    findings = [finding for check in _checks(exposed=exposed) for finding in check(settings)]
    typer.echo(findings_as_json(findings) if as_json else as_text(findings))
    raise typer.Exit(1 if any(finding.state == "failed" for finding in findings) else 0)


def _checks(*, exposed: bool) -> "Sequence[Check]":
    if not exposed:
        return _CHECKS
    from okapia.cli.exposure import EXPOSED_CHECKS

    return EXPOSED_CHECKS


def _versions(_: "Settings") -> Iterator[Finding]:
    from okapia import __version__
    from okapia.models.devices import installed_engines, package_conflict

    python = platform.python_version()
    yield Finding(
        "versions", "ok", f"okapia {__version__}, Python {python} on {platform.platform(terse=True)}"
    )
    engines = installed_engines()
    words = ", ".join(f"{name} {version}" for name, version in engines.items())
    if (conflict := package_conflict(engines)) is not None:
        yield Finding("engines", "failed", words, conflict)
    else:
        yield Finding("engines", "ok", words)


def _home(settings: "Settings") -> Iterator[Finding]:
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        yield Finding(
            "home", "failed", f"{home}: {error.strerror}", "set OKAPIA_HOME to a folder that you may write"
        )
        return
    yield Finding("home", "ok", str(home))
    free = shutil.disk_usage(home).free
    if free < DISK_NEEDED:
        yield Finding(
            "disk",
            "failed",
            f"{free / GB:.1f} GB free",
            f"free {DISK_NEEDED / GB:.0f} GB or move OKAPIA_HOME",
        )
    else:
        yield Finding("disk", "ok", f"{free / GB:.1f} GB free")


def _memory(_: "Settings") -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    fact = f"{memory.available / GB:.1f} of {memory.total / GB:.1f} GB available"
    if memory.available < MEMORY_NEEDED:
        yield Finding("memory", "warning", fact, "close other programs, or set OKAPIA_WORKERS=1")
    else:
        yield Finding("memory", "ok", fact)


def _models(settings: "Settings") -> Iterator[Finding]:
    from okapia.domain.errors import ModelError
    from okapia.models.weights.store import ModelStore

    store = ModelStore(settings.models_dir)
    faces = settings.profiles["faces"]
    has_faces = any(store.find(model_id) for model_id in faces.model_ids)
    # The pack of faces is opt-in: nobody lacks it who did not ask for it.
    choices = [choice for choice in settings.profiles.values() if choice != faces or has_faces]
    for model_id in dict.fromkeys(model_id for choice in choices for model_id in choice.model_ids):
        subject = "model"
        if store.find(model_id) is None:
            yield Finding(subject, "failed", f"{model_id} is not installed", f"okapia models pull {model_id}")
            continue
        try:
            store.verify(model_id)
        except ModelError as error:
            yield Finding(
                subject, "failed", str(error), f"okapia models remove {model_id}, then pull it again"
            )
        else:
            yield Finding(subject, "ok", f"{model_id} is installed and its checksum is right")


def _device(settings: "Settings") -> Iterator[Finding]:
    from okapia.app import engine_choice
    from okapia.domain.errors import DeviceUnavailable
    from okapia.models.runtime import usable_cores
    from okapia.models.tuning import load_choice, machine_name

    try:
        choice = engine_choice(settings)
    except DeviceUnavailable as error:
        yield Finding("device", "failed", f"{settings.device} is not to be had", str(error))
        return
    words = f"{choice.engine} in {choice.precision} on {choice.device}, {usable_cores()} cores"
    if settings.engine != "auto" or settings.precision != "auto" or choice.device.is_gpu:
        yield Finding("device", "ok", f"{words}: as set")
    elif load_choice(settings.home) is None:
        yield Finding(
            "device", "warning", f"{words}: the default, nothing was measured here", "okapia models tune"
        )
    else:
        yield Finding("device", "ok", f"{words}: measured as fastest on {machine_name()}")


_CHECKS: "Sequence[Check]" = (_versions, _home, _memory, _models, _device)
