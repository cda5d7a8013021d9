"""`okapia serve`: the server, for this machine's programs or for whoever has a key."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from okapia.domain.models import ModelReport
    from okapia.service import Service
    from okapia.settings import Settings

_HOST = "Address to listen on; 127.0.0.1 unless OKAPIA_HOST says otherwise. Others need an admin first."
_DEVICE = "auto, cpu, cuda:N, tensorrt:N or directml; cpu unless OKAPIA_DEVICE says otherwise."


def serve(
    host: Annotated[str | None, typer.Option(help=_HOST)] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 8000 unless OKAPIA_PORT says otherwise.")
    ] = None,
    device: Annotated[str | None, typer.Option(help=_DEVICE)] = None,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the documentation in a browser.")
    ] = False,
) -> None:
    """Start the server; without users it answers programs on this machine, and nobody else."""
    from okapia.app import build_app, build_service
    from okapia.cli.listening import bind, load_tls, make_server, own_url
    from okapia.cli.logs import configure_logs
    from okapia.settings import load_settings

    settings = load_settings(host=host, port=port, device=device)
    configure_logs(settings.log_level)
    tls = load_tls(settings.tls_certificate, settings.tls_key)
    with bind(settings.host, settings.port) as listener:
        service = build_service(settings, formats=settings.http_formats)
        server = make_server(build_app(settings, service), tls=tls, settings=settings)
        own = own_url(settings.host, listener, tls)
        url = settings.public_url or own
        n_users = _count_users(settings)
        typer.echo(f"Okapia listens on {own} ({_mode(n_users)}); documentation: {url}/docs")
        typer.echo(_models_line(service))
        typer.echo(_curl_line(url, settings.home, n_users))
        if open_browser:
            typer.launch(f"{url}/docs")
        server.run(sockets=[listener])


def _count_users(settings: "Settings") -> int:
    from okapia.cli.accounts_desk import open_accounts

    accounts = open_accounts(settings)
    try:
        with accounts.database.read() as connection:
            return len(accounts.users.everybody(connection))
    finally:
        accounts.database.close()


def _mode(n_users: int) -> str:
    """Say who is answered."""
    if n_users == 0:
        return "no key needed: programs on this machine only"
    return f"keys needed: {n_users} user{'s' if n_users > 1 else ''}"


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


def _curl_line(url: str, home: Path, n_users: int) -> str:
    """Give a first call that works as printed, with a key where one is needed."""
    key = '-H "Authorization: Bearer $OKAPIA_KEY" ' if n_users else ""
    sample = home / "samples" / "cat.png"
    if sample.exists():
        return f'Try: curl {key}-F "image=@{sample}" {url}/v1/detect'
    return f'Try: okapia samples pictures && curl {key}-F "image=@pictures/cat.png" {url}/v1/detect'
