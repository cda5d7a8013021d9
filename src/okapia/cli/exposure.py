"""`okapia doctor --exposed`: what strangers could do to a server with these settings, and what mends it."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from okapia.accounts.plans import UNLIMITED, parse_plans
from okapia.accounts.users import User
from okapia.cli.accounts_desk import open_accounts
from okapia.cli.findings import Finding
from okapia.cli.listening import load_tls
from okapia.database.opening import FILE
from okapia.domain.callers import Role
from okapia.domain.errors import OkapiaError
from okapia.service.backup import SETTINGS
from okapia.settings import Settings

GB: Final = 1_000_000_000
JOBS_OF_AIR: Final = 100
"""Pictures of jobs, of the largest size, that the disk should have room for."""

Check = Callable[[Settings], Iterator[Finding]]

_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_FORMATS: Final = frozenset({"JPEG", "PNG", "WEBP", "BMP"})
_WIDEST_PROXIES: Final = 8
"""Bits of a network's address, at least: 10.0.0.0/8 is the widest private one."""


def _reach(settings: Settings) -> Iterator[Finding]:
    proxies = ", ".join(settings.trusted_proxies)
    others = f"others can call it{f', through {proxies}' if proxies else ''}"
    who = "programs on this machine only; no proxy is named" if settings.is_loopback else others
    yield Finding("reach", "ok", f"listens on {settings.host}: {who}")


def _encryption(settings: Settings) -> Iterator[Finding]:
    tls = load_tls(settings.tls_certificate, settings.tls_key)
    is_public_plain = urlsplit(settings.public_url).scheme == "http" and not settings.is_loopback
    if is_public_plain or (tls is None and settings.host not in _THIS_MACHINE):
        yield Finding(
            "encryption",
            "warning" if settings.trusted_proxies and not is_public_plain else "failed",
            f"plain HTTP at {settings.public_url if is_public_plain else settings.host}",
            "OKAPIA_TLS_CERTIFICATE=FILE OKAPIA_TLS_KEY=FILE, or a proxy with TLS before 127.0.0.1",
            why="whoever is on the way reads and changes keys and pictures",
        )
    elif tls is not None and urlsplit(settings.public_url).scheme == "http":
        yield Finding(
            "encryption", "failed", "TLS here, and http in public_url", "OKAPIA_PUBLIC_URL=https://…"
        )
    else:
        yield Finding(
            "encryption", "ok", "TLS" if tls else "none needed on this machine; a proxy has its own"
        )


def _names(settings: Settings) -> Iterator[Finding]:
    """Say whether callers decide by which name the server speaks of itself."""
    if settings.is_loopback or (settings.public_url and settings.allowed_hosts):
        yield Finding("names", "ok", settings.public_url or "this machine's own")
        return
    name = urlsplit(settings.public_url).hostname or "okapia.example.org"
    yield Finding(
        "names",
        "warning",
        "public_url or allowed_hosts is empty",
        f"OKAPIA_PUBLIC_URL=https://{name} OKAPIA_ALLOWED_HOSTS='[\"{name}\"]'",
        why="URLs in answers have whatever name the caller wrote into `Host`",
    )


def _proxies(settings: Settings) -> Iterator[Finding]:
    networks = [ip_network(address) for address in settings.trusted_proxies]
    wide = [str(network) for network in networks if network.prefixlen < _WIDEST_PROXIES]
    if wide:
        yield Finding(
            "proxies",
            "failed",
            f"anybody in {', '.join(wide)} is believed",
            "OKAPIA_TRUSTED_PROXIES='[\"ADDRESS OF THE PROXY\"]'",
            why="callers could say where they come from, and that they came by TLS",
        )
    else:
        yield Finding("proxies", "ok", ", ".join(settings.trusted_proxies) or "none is believed")


def _people(settings: Settings) -> Iterator[Finding]:
    """Look at who has an account and what it may cost."""
    people = [user for user in _everybody(settings) if user.disabled_at is None]
    admins = [user.name for user in people if user.role is Role.ADMIN]
    if admins:
        yield Finding("admin", "ok", ", ".join(admins))
    else:
        yield Finding(
            "admin",
            "failed",
            "nobody",
            "okapia users add NAME --role admin",
            why="without one the server does not start where others can reach it",
        )
    yield from _plans(settings, [user for user in people if user.role is not Role.ADMIN])


def _everybody(settings: Settings) -> list[User]:
    """Give who has an account; a database that is not there is not made."""
    if not settings.database and not (settings.home / FILE).exists():
        return []
    accounts = open_accounts(settings)
    try:
        with accounts.database.read() as connection:
            return accounts.users.everybody(connection)
    finally:
        accounts.database.close()


def _plans(settings: Settings, people: Sequence[User]) -> Iterator[Finding]:
    """Find those whom nothing stops; who is on a plan that the settings no longer have is one of them."""
    plans = parse_plans(settings.plans)
    found = [(user.name, plans.get(user.plan, UNLIMITED)) for user in people]
    endless = [name for name, plan in found if plan.included is None]
    unpaced = [name for name, plan in found if plan.rates.inference is None]
    if endless:
        why = "they can have pictures analysed day and night, and fill the disk with answers"
        yield _without_limit(endless, "their pictures are counted against nothing", why)
    if unpaced:
        yield _without_limit(unpaced, "their calls a minute have no limit", "they can keep others waiting")
    if not (endless or unpaced):
        yield Finding("plans", "ok", f"{len(people)} who are no admins, all with limits")


def _without_limit(names: Sequence[str], what: str, why: str) -> Finding:
    return Finding(
        "plans", "warning", f"{', '.join(names)}: {what}", f"okapia credits plan {names[0]} public", why
    )


def _files(settings: Settings) -> Iterator[Finding]:
    """Find what other users of this machine can read."""
    home = settings.home
    secrets = home / "secrets"
    known = [home, *home.glob(f"{FILE}*"), home / SETTINGS, Path(SETTINGS), secrets, *secrets.glob("*")]
    if settings.tls_key is not None:
        known.append(settings.tls_key)
    open_to_others = [path for path in known if path.exists() and path.stat().st_mode & 0o077]
    if os.name != "posix" or not open_to_others:
        yield Finding("files", "ok", "home, database, secrets and settings are their owner's alone")
    for path in open_to_others if os.name == "posix" else ():
        yield Finding(
            "files",
            "warning" if path == home else "failed",
            f"{path} can be used by others ({path.stat().st_mode & 0o777:o})",
            f"chmod {'700' if path.is_dir() else '600'} {path}",
            why="with the secrets and the database anybody can be everybody here",
        )


def _sources(settings: Settings) -> Iterator[Finding]:
    """Say what callers may have the server read for them."""
    home = settings.home.resolve()
    roots = [root.resolve() for root in settings.source_roots]
    bare = [root for root in roots if home.is_relative_to(root) or root.is_relative_to(home)]
    if bare:
        why = "callers could name secrets and the database as pictures"
        yield Finding(
            "sources", "failed", f"source_roots has the home in {bare[0]}", "name its pictures", why
        )
    elif roots:
        why = "whoever has a key may have each picture there analysed"
        yield Finding("sources", "warning", f"source_roots: {len(roots)}", "OKAPIA_SOURCE_ROOTS='[]'", why)
    if settings.fetch_urls:
        why = "strangers load public servers in your name; private addresses are refused"
        yield Finding("sources", "warning", "fetch_urls is on", "OKAPIA_FETCH_URLS=false", why)
    if settings.private_webhooks:
        why = "who has a key makes the server call machines in your own network"
        yield Finding("webhooks", "failed", "private_webhooks is on", "OKAPIA_PRIVATE_WEBHOOKS=false", why)
    if not (roots or settings.fetch_urls or settings.private_webhooks):
        yield Finding("sources", "ok", "no files, no URLs, no webhooks into your own network")


def _pages(settings: Settings) -> Iterator[Finding]:
    if "*" in settings.cors_origins:
        why = "any page that a browser shows can call the server with a key that it was given"
        mend = "OKAPIA_CORS_ORIGINS='[\"https://YOUR PAGE\"]'"
        yield Finding("pages", "failed", "cors_origins has '*'", mend, why)
    else:
        yield Finding("pages", "ok", ", ".join(settings.cors_origins) or "none of others")


def _formats(settings: Settings) -> Iterator[Finding]:
    more = [name for name in settings.http_formats if name not in _FORMATS]
    if more:
        why = "each format is a decoder more that strangers can try"
        mend = 'OKAPIA_HTTP_FORMATS=\'["JPEG", "PNG", "WEBP", "BMP"]\''
        yield Finding("formats", "warning", f"{', '.join(more)} over HTTP", mend, why)
    else:
        yield Finding("formats", "ok", ", ".join(settings.http_formats))


def _disk(settings: Settings) -> Iterator[Finding]:
    """Say whether there is room for uploads, which strangers make."""
    if settings.blobs:
        yield Finding("disk", "ok", "uploads go to a cloud")
        return
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free, needed = shutil.disk_usage(folder).free, JOBS_OF_AIR * settings.max_job_bytes
    fact = f"{free / GB:.1f} GB free for uploads and answers"
    if free < needed:
        mend = f"free {needed / GB:.1f} GB, lower OKAPIA_MAX_JOB_BYTES, or OKAPIA_BLOBS=s3://BUCKET/PREFIX"
        yield Finding("disk", "failed", fact, mend, why="a few uploads fill it, and the database stops")
    else:
        yield Finding("disk", "ok", fact)


def _said(check: Check) -> Check:
    """Have what a check cannot even read be a finding."""

    def look(settings: Settings) -> Iterator[Finding]:
        try:
            yield from check(settings)
        except (OkapiaError, ValueError) as error:
            yield Finding(check.__name__.strip("_"), "failed", str(error), "mend what it names")

    return look


_ALL = (_reach, _encryption, _names, _proxies, _people, _files, _sources, _pages, _formats, _disk)

EXPOSED_CHECKS: Final = tuple(_said(check) for check in _ALL)
