"""The composition root: settings become objects, objects become a service, a service an app.

Only this file knows everything.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import anyio
import anyio.to_thread
import fastapi_offline
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from okapia import __version__
from okapia.accounts.plans import parse_plans
from okapia.dialects.base import discover
from okapia.dialects.operations import DOCS_ASSETS
from okapia.dialects.paths import serve
from okapia.dialects.webhooks import document_webhooks
from okapia.domain.errors import InvalidSettings
from okapia.models.catalog import Catalog
from okapia.models.devices import CPU, Device, Hardware, parse_device, take_device
from okapia.models.registry import Registry
from okapia.models.runtime import HARDWARE, EngineChoice, Load, Runtime, usable_cores
from okapia.models.tuning import load_choice
from okapia.models.weights.store import ModelStore
from okapia.pipeline.assemble import Assembler
from okapia.pipeline.naming import RangeFiles
from okapia.pipeline.scheduler import Scheduler
from okapia.service import Models, Service, Species
from okapia.service.desk import Desk, DeskOptions
from okapia.service.keeping import KeepingOptions
from okapia.service.kits import KitRules, Manner
from okapia.service.remembered import Remembered
from okapia.settings import Settings
from okapia.storage.answer_cache import AnswerCache
from okapia.storage.roots import SourceRoots
from okapia.vision.budget import MOST_BYTES_PER_PIXEL, ORDINARY_BYTES, DecodeBudget
from okapia.vision.decode import DecodePolicy, Scaling, Truncated
from okapia.vision.header import FORMATS
from okapia.web.context import Context, Limits, refuse_source
from okapia.web.junction import Junction
from okapia.web.middleware import install
from okapia.web.openapi import Application

ANSWERS = "answers.cache"
"""File of the home in which pictures are known again."""

_GPU_WORKERS_PER_CORE = 4
_EVICTION_INTERVAL_S = 30
_DOCS_FILES = Path(fastapi_offline.__file__).parent / "static"


def engine_choice(settings: Settings, *, hardware: Hardware = HARDWARE) -> EngineChoice:
    """Decide engine, precision and device: what is set, else what was measured, else ONNX Runtime f32.

    Raises:
        DeviceUnavailable: the device that is set is not to be had.
    """
    device = _device(settings, hardware)
    measured = load_choice(settings.home) if device == CPU else None
    default = measured or EngineChoice(device=device)
    engine = default.engine if settings.engine == "auto" else settings.engine
    if settings.precision != "auto":
        return EngineChoice(engine, settings.precision, device)
    precision = default.precision if engine == default.engine else "f32"
    return EngineChoice(engine, precision, device)


def _device(settings: Settings, hardware: Hardware) -> Device:
    """Resolve `auto` once; what OpenVINO is set for runs on the CPU."""
    asked = parse_device(settings.device)
    if settings.engine == "openvino" and asked.kind == "auto":
        return CPU
    return take_device(asked, hardware=hardware)


def decode_policy(
    settings: Settings, *, workers: int = 1, formats: tuple[str, ...] = FORMATS
) -> DecodePolicy:
    """Say how pictures of these formats are decoded, and make room for them."""
    largest = settings.max_pixels * MOST_BYTES_PER_PIXEL
    return DecodePolicy(
        max_pixels=settings.max_pixels,
        truncated=Truncated(settings.truncated),
        scaling=Scaling(settings.scaling),
        formats=formats,
        budget=DecodeBudget(settings.max_decoded_bytes or largest + workers * ORDINARY_BYTES),
    )


def build_registry(settings: Settings, load: Load) -> Registry:
    """Give the models of this machine; the device is taken now, no model is loaded.

    Raises:
        DeviceUnavailable: the device that is set is not to be had.
    """
    cache = settings.home / "compiled"
    return Registry(
        Catalog(ModelStore(settings.models_dir)),
        runtime=Runtime(engine_choice(settings), load=load, cores=_cores(settings), cache=cache),
        canvases=settings.canvases,
        idle_s=settings.model_idle_s,
    )


def build_service(settings: Settings, *, formats: tuple[str, ...] = FORMATS) -> Service:
    """Put the objects below HTTP together. Loads no model; close the service when done.

    Args:
        formats: that pictures may have; a server takes those of `http_formats`.
    """
    load = Load()
    registry = build_registry(settings, load)
    workers = _workers(settings, registry.device)
    policy = decode_policy(settings, workers=workers, formats=formats)
    ranges = RangeFiles(settings.geofence, settings.species_list)
    assembler = Assembler(registry, policy=policy, ranges=ranges)
    models = Models(registry, assembler=assembler, profiles=settings.profiles)
    return Service(
        models=models,
        species=Species(models, home=settings.home),
        scheduler=Scheduler(workers=workers, depth=settings.queue_depth, load=load),
        policy=policy,
        deadline_s=settings.deadline_s,
        remembered=_remembered(settings),
    )


def _remembered(settings: Settings) -> Remembered:
    if settings.cache_bytes == 0:
        return Remembered(None)
    return Remembered(AnswerCache(settings.home / ANSWERS, max_bytes=settings.cache_bytes))


def _workers(settings: Settings, device: Device) -> int:
    """Pictures side by side: one a core on a CPU; more on a GPU, so that batches gather."""
    per_core = _GPU_WORKERS_PER_CORE if device.is_gpu else 1
    return settings.workers or _cores(settings) * per_core


def _cores(settings: Settings) -> int:
    return settings.cores or usable_cores()


def desk_options(settings: Settings) -> DeskOptions:
    """Say where accounts and answers are kept.

    Raises:
        InvalidSettings: a plan is none.
    """
    return DeskOptions(
        home=settings.home,
        database=settings.database,
        limits=settings.limits,
        plans=parse_plans(settings.plans),
        retention=timedelta(days=settings.retention_days),
        blobs=settings.blobs,
        fetch=_fetch(settings),
        max_job_bytes=settings.max_job_bytes,
        job_workers=settings.job_workers,
        private_webhooks=settings.private_webhooks,
        token_life=timedelta(days=settings.token_days),
        keeping=_keeping(settings),
        roots=SourceRoots(settings.source_roots),
        max_file_bytes=settings.max_file_bytes,
        batch_workers=settings.batch_workers,
        batch_retention=timedelta(days=settings.batch_days),
        kits=kit_rules(settings),
    )


def kit_rules(settings: Settings) -> KitRules:
    """Say what workers elsewhere have to have to answer as this process does."""
    ranges = {"geofence": settings.geofence, "species_list": settings.species_list}
    return KitRules(
        Catalog(ModelStore(settings.models_dir)),
        Manner(**settings.model_dump(include={field.name for field in fields(Manner)})),
        {name: path for name, path in ranges.items() if path is not None},
        shares_files=bool(settings.blobs),
    )


def _keeping(settings: Settings) -> KeepingOptions | None:
    """Say where the pictures of gateways stay; None where they do not."""
    if settings.album_days == 0:
        return None
    return KeepingOptions(
        folder=settings.album or settings.home / "album",
        life=timedelta(days=settings.album_days),
        max_bytes=settings.album_max_bytes,
    )


def build_app(settings: Settings, service: Service) -> FastAPI:
    """Make the web application around a service, which is closed when the application stops.

    Raises:
        InvalidSettings: two dialects claim one path, or others may reach a server without an admin.
        DatabaseUnavailable: the database does not answer.
    """
    context = _context(settings, service)
    _refuse_strangers(context)
    app = Application(
        title="Okapia",
        version=__version__,
        summary="The camera-trap image API that you run yourself.",
        lifespan=_lifespan(context),
        openapi_url=None,  # the documentation goes through the door, as everything does
    )
    app.mount(DOCS_ASSETS, StaticFiles(directory=_DOCS_FILES))
    document_webhooks(app.webhooks)
    served = [dialect for dialect in discover() if dialect.name not in settings.dialects_off]
    paths = serve(app, [(dialect, dialect.build(context)) for dialect in served], health=settings.health)
    app.state.claims = paths.claims
    app.add_middleware(Junction, forks=paths.forks, max_s=settings.max_body_s)
    install(app, allowed_hosts=settings.allowed_hosts, cors_origins=settings.cors_origins)
    return app


def _context(settings: Settings, service: Service) -> Context:
    limits = Limits(
        max_body_bytes=settings.max_body_bytes,
        max_image_bytes=settings.max_image_bytes,
        max_filter_batch_bytes=settings.max_filter_batch_bytes,
        max_body_s=settings.max_body_s,
    )
    return Context(
        service,
        Desk(service, desk_options(settings)),
        limits,
        settings.threshold,
        read_source=_source_reader(settings),
        extra_fields=settings.extra_fields,
        is_loopback=settings.is_loopback,
        public_url=settings.public_url,
        model_aliases=settings.model_aliases,
        gateway_networks=settings.gateway_networks,
        has_proxies=bool(settings.trusted_proxies),
        gateway_threshold=settings.gateway_threshold,
        mlapi_expires_s=settings.mlapi_expires_s,
        microsoft_image_keys=settings.microsoft_image_keys,
        microsoft_failures=settings.microsoft_failures,
    )


def _refuse_strangers(context: Context) -> None:
    """Do not start where others can reach a server that nobody has an account on."""
    if not context.is_loopback and not context.desk.callers.has_admin():
        context.desk.close()
        raise InvalidSettings(
            "host, public_url, trusted_proxies: others can reach the server, and it has no admin; first run "
            "`okapia users add NAME --role admin`, or listen on 127.0.0.1 alone"
        )


def _fetch(settings: Settings) -> Callable[[str], bytes] | None:
    """Give what fetches the pictures of jobs by URL, where that is on."""
    if not settings.fetch_urls:
        return None
    from okapia.storage.remote import RemoteReader  # noqa: PLC0415 - as below

    return RemoteReader(max_bytes=settings.max_job_bytes).fetch


def _source_reader(settings: Settings) -> Callable[[str], bytes]:
    """Give what reads the files and URLs that callers name, as far as the settings let them.

    Raises:
        InvalidSettings: a source root is none.
    """
    if not (settings.fetch_urls or settings.source_roots):
        return refuse_source
    # An HTTP client with its certificates takes 0.15 s to import: only for those who need it.
    from okapia.storage.sources import guarded_reader  # noqa: PLC0415

    return guarded_reader(
        settings.source_roots, fetch_urls=settings.fetch_urls, max_bytes=settings.max_body_bytes
    )


def _lifespan(context: Context) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Drop idle models now and then, close the service and the desk at the end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(context.desk.start)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_evict_now_and_then, context.service)
            yield
            tasks.cancel_scope.cancel()
        await anyio.to_thread.run_sync(context.desk.stop_working)
        await anyio.to_thread.run_sync(context.service.close)
        await anyio.to_thread.run_sync(context.desk.close)

    return lifespan


async def _evict_now_and_then(service: Service) -> None:
    while True:
        await anyio.sleep(_EVICTION_INTERVAL_S)
        service.models.evict_idle()
