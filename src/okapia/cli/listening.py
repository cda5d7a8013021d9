"""How the server listens: its socket, its certificate, and the proxies whose word it takes."""

import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from okapia.domain.errors import InvalidSettings
from okapia.settings import Settings

BACKLOG: Final = 512
GRACE_S: Final = 30
"""Seconds that running requests get when the server is asked to stop."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate and its key, which fit."""

    certificate: Path
    key: Path


def load_tls(certificate: Path | None, key: Path | None) -> Tls | None:
    """Check that a certificate can be used; None where none is set.

    Raises:
        InvalidSettings: one of both is missing or cannot be read, the key has a passphrase or is another's.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise InvalidSettings("expected both tls_certificate and tls_key, got one of them")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, _no_passphrase)
    except ssl.SSLError as error:
        reason = error.reason or "no certificate"
        raise InvalidSettings(f"tls_certificate, tls_key: no PEM files that fit ({reason})") from error
    except OSError as error:
        raise InvalidSettings(f"tls_certificate, tls_key: cannot be read ({error.strerror})") from error
    return Tls(certificate, key)


def bind(host: str, port: int) -> socket.socket:
    """Take the port before anything slow happens; from here on calls wait instead of being refused.

    Raises:
        InvalidSettings: the port is taken, or the host is none of this machine.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise InvalidSettings(f"host: expected an address of this machine, got {host!r}") from error
    listener = socket.socket(family, kind)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows: REUSEADDR there would share a taken port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise InvalidSettings(
            f"port {port} on {host} is not to be had ({error.strerror}); choose others with --port and --host"
        ) from error
    return listener


def own_url(host: str, listener: socket.socket, tls: Tls | None) -> str:
    """Give the URL by which this machine reaches the listener."""
    scheme = "http" if tls is None else "https"
    name = "localhost" if _is_everywhere(host) else f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}:{listener.getsockname()[1]}"


def make_server(app: FastAPI, *, tls: Tls | None, settings: Settings) -> uvicorn.Server:
    """Give the server; it answers until a signal comes, then finishes what is running.

    Raises:
        InvalidSettings: a trusted proxy is no address.
    """
    proxies = [_proxy(address) for address in settings.trusted_proxies]
    config = uvicorn.Config(
        app,
        log_config=None,  # as all libraries log, and at their level
        access_log=False,
        server_header=False,
        ws="none",
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


def _no_passphrase() -> str:
    """Answer in place of a person, whom OpenSSL would ask at the terminal."""
    return ""


def _is_everywhere(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _proxy(address: str) -> str:
    """Refuse what uvicorn would take for a name that never comes."""
    try:
        ip_network(address)
    except ValueError as error:
        raise InvalidSettings(
            f"trusted_proxies: expected addresses as 10.0.0.2 or 10.0.0.0/24, got {address!r}"
        ) from error
    return address
