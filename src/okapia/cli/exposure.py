"""`okapia doctor --exposed`: what strangers could do to a server with these settings, and what mends it."""

import os
import shutil
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from itertools import chain
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from okapia.accounts.plans import parse_plans
from okapia.accounts.users import User
from okapia.cli.accounts_desk import open_accounts
from okapia.cli.findings import Finding
from okapia.cli.listening import load_tls
from okapia.database.opening import FILE
from okapia.domain.callers import Role
from okapia.domain.errors import DatabaseUnavailable, InvalidSettings
from okapia.service.backup import SETTINGS
from okapia.settings import Settings

GB: Final = 1_000_000_000
JOBS_OF_AIR: Final = 100
"""Pictures of jobs, of the largest size, that the disk should have room for."""

_MADE_FOR_STRANGERS: Final = frozenset({"JPEG", "PNG", "WEBP", "BMP"})
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def _reach(settings: Settings) -> Iterator[Finding]:
    """Say who can reach the server."""
    if settings.is_loopback:
        yield Finding("reach", "ok", f"{settings.host}: programs on this machine only; no proxy is named")
    else:
        proxies = ", ".join(settings.trusted_proxies)
        yield Finding("reach", "ok", f"{settings.host}: others{f', through {proxies}' if proxies else ''}")


def _encryption(settings: Settings) -> Iterator[Finding]:
    try:
        tls = load_tls(settings.tls_certificate, settings.tls_key)
    except InvalidSettings as error:
        yield Finding("encryption", "failed", str(error), "give both as PEM files that the server may read")
        return
    why = "keys and pictures can be read and changed by whoever is on the way"
    mend = "OKAPIA_TLS_CERTIFICATE=FILE OKAPIA_TLS_KEY=FILE, or a proxy with TLS (docs/how-to/deploy.md)"
    if urlsplit(settings.public_url).scheme == "http" and not settings.is_loopback:
        yield Finding("encryption", "failed", f"callers are sent to {settings.public_url}", mend, why)
    elif tls is None and settings.host not in _THIS_MACHINE:
        state = "warning" if settings.trusted_proxies else "failed"
        yield Finding("encryption", state, f"plain HTTP on {settings.host}", mend, why)  # type: ignore[arg-type]
    else:
        yield Finding("encryption", "ok", "TLS here" if tls else "none here: a proxy's, or nobody is reached")


