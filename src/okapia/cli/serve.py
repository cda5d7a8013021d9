"""`okapia serve`: the server, on this machine only."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from okapia.domain.models import ModelReport
    from okapia.service import Service
    from okapia.settings import Settings

HOST = "127.0.0.1"
"""Loopback only: there are no accounts yet, so nobody else may reach the server."""
BACKLOG = 512
_DEVICE = "auto, cpu, cuda:N, tensorrt:N or directml; cpu unless OKAPIA_DEVICE says otherwise."
GRACE_S = 30
"""Seconds that running requests get when the server is asked to stop."""


def serve(
    port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1; 8000 unless OKAPIA_PORT says otherwise.")
    ] = None,
    device: Annotated[str | None, typer.Option(help=_DEVICE)] = None,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the documentation in a browser.")
    ] = False,
) -> None:
    """Start the server; it answers on this machine only."""
    from okapia.app import build_service
    from okapia.cli.logs import configure_logs
    from okapia.settings import load_settings

    settings = load_settings(port=port, device=device)
    configure_logs(settings.log_level)
    with _bind(settings.port) as listener:
        service = build_service(settings)
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        typer.echo(f"Okapia listens on {url} (this machine only); documentation: {url}/docs")
        typer.echo(_models_line(service))
        typer.echo(_curl_line(url, settings.home))
        if open_browser:
            typer.launch(f"{url}/docs")
        _serve(settings, service, listener)


def _bind(port: int) -> socket.socket:
    """Take the port before anything slow happens."""
    from okapia.domain.errors import InvalidSettings

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows: REUSEADDR there would share a taken port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        # From here on calls wait for the server instead of being refused.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise InvalidSettings(
            f"port {port} on {HOST} is not free ({error.strerror}); choose another with --port"
        ) from error
    return listener


def _models_line(service: "Service") -> str:
    """Load the models and say how they run, or what is missing."""
    from okapia.domain.errors import ModelError, ModelNotInstalled

    try:
        reports = service.check_ready()
    except ModelNotInstalled:
        return "Models: not installed, so pictures are answered with 503; run: okapia models pull lite"
    except ModelError as error:
        return f"Models: not usable, so pictures are answered with 503: {error}"
    return f"Models: {', '.join(report.model_id for report in reports)}; {_device_words(reports[0])}"


def _device_words(report: "ModelReport") -> str:
    return f"{report.engine} on {report.device} in {report.precision}"


def _curl_line(url: str, home: Path) -> str:
    """Give a first call that works as printed."""
    sample = home / "samples" / "cat.png"
    if sample.exists():
        return f'Try: curl -F "image=@{sample}" {url}/v1/detect'
    return f'Try: okapia samples pictures && curl -F "image=@pictures/cat.png" {url}/v1/detect'


def _serve(settings: "Settings", service: "Service", listener: socket.socket) -> None:
    """Answer until a signal comes, then finish what is running."""
    import uvicorn

    from okapia.app import build_app

    config = uvicorn.Config(
        build_app(settings, service),
        log_level=settings.log_level,
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    uvicorn.Server(config).run(sockets=[listener])
