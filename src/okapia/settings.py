"""Everything that can be set, in one place: environment (`OKAPIA_*`), then `okapia.toml`, then defaults."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, IPvAnyNetwork, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from okapia.domain.errors import InvalidSettings
from okapia.domain.models import ModelChoice
from okapia.models.devices import DEVICE_PATTERN

MB = 1_000_000
ImageFormat = Literal["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"]
LOOPBACK = "127.0.0.1"


def _default_home() -> Path:
    return Path(platformdirs.user_data_dir("okapia", appauthor=False))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name, which may lead anywhere
        return False


class Settings(BaseSettings):
    """What an operator may decide; `OKAPIA_PORT=8100` sets `port`.

    Attributes:
        home: where models and everything else that Okapia keeps lives.
        host: address that the server listens on; off loopback only when there is an admin.
        public_url: where callers reach the server, for absolute URLs; empty for where each call came to.
        trusted_proxies: addresses whose `X-Forwarded-*` headers are believed.
        allowed_hosts: names that calls may be made to (`Host`); none means all. `*.example.org` is possible.
        cors_origins: web pages' origins that may call; none by default.
        tls_certificate, tls_key: PEM files; both or neither.
        database: address of a PostgreSQL database; empty for a SQLite file in `home`.
        limits: where calls a minute are counted: `memory://`, or `redis://HOST` for several processes.
        plans: tables `plans.NAME` with `included`, `grace`, `grace_days`, `has_ocr` and `rates`.
        retention_days: days that answers are kept for.
        cache_bytes: that answers may take by which pictures are known again; 0 keeps none.
        blobs: where uploads of jobs are kept: `s3://BUCKET/PREFIX` and the like; empty: a folder in `home`.
        job_workers: jobs that are worked on side by side.
        batch_workers: tasks of batches worked on at a time; 0 leaves them to `okapia worker`.
        batch_days: days for which a batch that has ended is kept, with its files.
        private_webhooks: whether webhooks may go to addresses of one's own machine and network.
        model_aliases: names by which models (ids joined by `+`) are reported in `model_id`.
        dialects_off: names of contracts (`okapia dialects`) that are not served.
        health: the contract that answers `GET /health`.
        gateway_networks: addresses (`192.168.1.0/24`) whose machines may call the gateways (pyzm, DeepStack)
            without a key; none by default.
        gateway_threshold: least confidence of what the gateways report to clients that name none.
        token_days: days that a login lasts.
        mlapi_expires_s: seconds after which mlapi's login tells its clients to log in again.
        microsoft_image_keys: whether Microsoft's answer names pictures by their form field or by their file.
        microsoft_failures: whether one bad picture fails Microsoft's call (`strict`), or itself alone.
        album: folder in which pictures are kept that mlapi's clients send; empty for one in `home`.
        album_days: days that they are kept for; 0 keeps none.
        album_max_bytes: of all of them, beyond which the oldest go.
        device: `cpu`, `cuda`, `cuda:0`, `cuda:0,1`, `tensorrt:0`, `directml:0`; `auto` takes the GPUs that
            ONNX Runtime can use, else the CPU.
        engine: `auto` takes what `okapia models tune` measured as fastest here, or ONNX Runtime.
        precision: `auto` goes with the engine's measurement; otherwise it is forced.
        detector: a model id, or two joined by `+`.
        classifier: a model id; empty for none.
        urban_detector, urban_classifier: the same for the profile `urban`; empty for what `wild` has.
        object_detector, face_detector: the profiles `objects` and `faces`, which the gateways answer with.
        tiles: tiles a side that every picture is also looked at in; 1 looks at the whole picture only.
        geofence: file of range rules (CSV or JSON) on top of the classifier's own.
        species_list: CSV (latin, common) of the only taxa that an answer may be.
        source_roots: folders in which callers of the server may name files; none by default.
        extra_fields: fields of SpeciesNet's instances that come back in its predictions.
        fetch_urls: whether callers may have the server fetch pictures by URL.
        zoo_url, zoo_record: where the public zoo's archives are fetched from; a newer record has newer
            models.
        canvases: model id to side of its input in pixels, in place of the card's default.
        threshold: least confidence, 0.01..0.99, of a box that counts as found.
        scaling: `fast` decodes JPEG at a reduced scale, `exact` in full.
        truncated: what to do with files that end too early: `use` what decodes, or `refuse`.
        max_decoded_bytes: that pictures may take in memory together; 0 means what the largest one takes, and
            an ordinary one a worker.
        http_formats: what callers of the server may send; files and folders may have all that are read.
        max_body_bytes, max_image_bytes: of a request, and of the pictures in it.
        max_filter_batch_bytes: of a `batch-filter` request, where it is less than that.
        max_job_bytes: of a job's picture.
        max_body_s: seconds in which the body of a request has to arrive.
        cores: of the CPU that are used; 0 means all that the process may.
        workers: pictures analysed side by side; 0 means one a core (four a core on a GPU).
        queue_depth: pictures that may wait before the server answers 503.
        deadline_s: seconds a picture may wait in the queue.
        model_idle_s: seconds after which an unused model leaves the memory.
    """

    model_config = SettingsConfigDict(env_prefix="OKAPIA_", extra="ignore", frozen=True)

    home: Path = Field(default_factory=_default_home)
    host: str = LOOPBACK
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    public_url: Annotated[str, Field(pattern=r"^(https?://[^/].*[^/])?$")] = ""
    trusted_proxies: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    database: str = ""
    limits: str = "memory://"
    plans: dict[str, dict[str, object]] = Field(default_factory=dict)
    retention_days: Annotated[int, Field(ge=1, le=3650)] = 30
    cache_bytes: Annotated[int, Field(ge=0)] = 1_000 * MB
    blobs: str = ""
    job_workers: Annotated[int, Field(ge=1, le=64)] = 2
    batch_workers: Annotated[int, Field(ge=0, le=64)] = 2
    batch_days: Annotated[int, Field(ge=1, le=3650)] = 180
    private_webhooks: bool = False
    model_aliases: dict[str, str] = Field(default_factory=dict)
    dialects_off: tuple[str, ...] = ()
    health: Literal["pyzm", "speciesnet"] = "pyzm"
    gateway_networks: tuple[IPvAnyNetwork, ...] = ()
    gateway_threshold: Annotated[float, Field(ge=0.01, le=0.99)] = 0.3  # mlapiconfig.ini's min_confidence
    token_days: Annotated[int, Field(ge=1, le=3650)] = 30
    mlapi_expires_s: Annotated[int, Field(ge=60)] = 3600
    microsoft_image_keys: Literal["field", "filename"] = "field"
    microsoft_failures: Literal["strict", "per_image"] = "strict"
    album: Path | None = None
    album_days: Annotated[int, Field(ge=0, le=3650)] = 30
    album_max_bytes: Annotated[int, Field(ge=10 * MB)] = 1_000 * MB
    log_level: Literal["debug", "info", "warning", "error"] = "warning"

    device: Annotated[str, Field(pattern=DEVICE_PATTERN)] = "auto"
    engine: Literal["auto", "onnxruntime", "openvino"] = "auto"
    precision: Literal["auto", "f32", "bf16", "f16"] = "auto"
    detector: str = "megadetector-lite+nanodet-coco"
    classifier: str = "efficientnet-lite0"
    urban_detector: str = ""
    urban_classifier: str = ""
    object_detector: str = "nanodet-coco"
    face_detector: str = "centerface+faceres"
    tiles: Annotated[int, Field(ge=1, le=4)] = 1
    geofence: Path | None = None
    species_list: Path | None = None
    source_roots: tuple[Path, ...] = ()
    fetch_urls: bool = False
    extra_fields: tuple[str, ...] = ()
    zoo_url: Annotated[str, Field(pattern=r"^https?://")] = "https://zenodo.org"
    zoo_record: Annotated[str, Field(pattern=r"^\d+$")] = "22018132"
    canvases: dict[str, int] = Field(default_factory=dict)
    threshold: Annotated[float, Field(ge=0.01, le=0.99)] = 0.2

    scaling: Literal["fast", "exact"] = "fast"
    truncated: Literal["use", "refuse"] = "use"
    max_pixels: Annotated[int, Field(gt=0)] = 120 * MB
    max_decoded_bytes: Annotated[int, Field(ge=0)] = 0
    http_formats: Annotated[tuple[ImageFormat, ...], Field(min_length=1)] = ("JPEG", "PNG", "WEBP", "BMP")
    max_body_bytes: Annotated[int, Field(gt=0)] = 20 * MB
    max_image_bytes: Annotated[int, Field(gt=0)] = 10 * MB
    max_filter_batch_bytes: Annotated[int, Field(gt=0)] | None = None
    max_job_bytes: Annotated[int, Field(gt=0)] = 50 * MB
    max_body_s: Annotated[float, Field(gt=0)] = 60.0
    max_file_bytes: Annotated[int, Field(gt=0)] = 200 * MB

    cores: Annotated[int, Field(ge=0, le=1024)] = 0
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    queue_depth: Annotated[int, Field(ge=1)] = 64
    deadline_s: Annotated[float, Field(gt=0)] = 60.0
    model_idle_s: Annotated[float, Field(gt=0)] = 1800.0

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can reach the server, not through a proxy either."""
        reached_at = urlsplit(self.public_url).hostname or self.host
        return not self.trusted_proxies and _is_loopback(self.host) and _is_loopback(reached_at)

    @property
    def profiles(self) -> dict[str, ModelChoice]:
        """The models by profile; what `urban` leaves open is as in `wild`."""
        wild = ModelChoice(self.detector, self.classifier or None, self.tiles)
        detector = self.urban_detector or wild.detector
        return {
            "wild": wild,
            "urban": replace(wild, detector=detector, classifier=self._urban_classifier),
            "objects": ModelChoice(self.object_detector, None),
            "faces": ModelChoice(self.face_detector, None),
        }

    @property
    def _urban_classifier(self) -> str | None:
        return self.urban_classifier or self.classifier or None

    @property
    def models_dir(self) -> Path:
        return self.home / "models"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read `okapia.toml` of the working folder below the environment."""
        del dotenv_settings, file_secret_settings
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path("okapia.toml")))


def load_settings(**overrides: object) -> Settings:
    """Read the settings; `overrides` (a command's options; None means not given) win.

    Raises:
        InvalidSettings: a value is out of range; the message names the setting.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        # What cannot even be read (no TOML, no JSON) has no name of its own.
        names = (".".join(map(str, e["loc"])) or "okapia.toml or the environment" for e in error.errors())
        problems = (f"{name}: {e['msg']}" for name, e in zip(names, error.errors(), strict=True))
        raise InvalidSettings("; ".join(problems)) from error
