"""Everything that can be set, in one place: environment (`OKAPIA_*`), then `okapia.toml`, then defaults."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import Field, ValidationError
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


def _default_home() -> Path:
    return Path(platformdirs.user_data_dir("okapia", appauthor=False))


class Settings(BaseSettings):
    """What an operator may decide; `OKAPIA_PORT=8100` sets `port`.

    Attributes:
        home: where models and everything else that Okapia keeps lives.
        device: `cpu`, `cuda`, `cuda:0`, `cuda:0,1`, `tensorrt:0`, `directml:0`; `auto` takes the GPUs that
            ONNX Runtime can use, else the CPU.
        engine: `auto` takes what `okapia models tune` measured as fastest here, or ONNX Runtime.
        precision: `auto` goes with the engine's measurement; otherwise it is forced.
        detector: a model id, or two joined by `+`.
        classifier: a model id; empty for none.
        urban_detector, urban_classifier: the same for the profile `urban`; empty for what `wild` has.
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
        workers: pictures analysed side by side; 0 means one a core (four a core on a GPU).
        queue_depth: pictures that may wait before the server answers 503.
        deadline_s: seconds a picture may wait in the queue.
        model_idle_s: seconds after which an unused model leaves the memory.
    """

    model_config = SettingsConfigDict(env_prefix="OKAPIA_", extra="ignore", frozen=True)

    home: Path = Field(default_factory=_default_home)
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    log_level: Literal["debug", "info", "warning", "error"] = "warning"

    device: Annotated[str, Field(pattern=DEVICE_PATTERN)] = "auto"
    engine: Literal["auto", "onnxruntime", "openvino"] = "auto"
    precision: Literal["auto", "f32", "bf16", "f16"] = "auto"
    detector: str = "megadetector-lite+nanodet-coco"
    classifier: str = "efficientnet-lite0"
    urban_detector: str = ""
    urban_classifier: str = ""
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
    max_body_bytes: Annotated[int, Field(gt=0)] = 20 * MB
    max_file_bytes: Annotated[int, Field(gt=0)] = 200 * MB

    workers: Annotated[int, Field(ge=0, le=256)] = 0
    queue_depth: Annotated[int, Field(ge=1)] = 64
    deadline_s: Annotated[float, Field(gt=0)] = 60.0
    model_idle_s: Annotated[float, Field(gt=0)] = 1800.0

    @property
    def profiles(self) -> dict[str, ModelChoice]:
        """The models of `wild` and `urban`; what `urban` leaves open is as in `wild`."""
        wild = ModelChoice(self.detector, self.classifier or None, self.tiles)
        detector = self.urban_detector or wild.detector
        return {"wild": wild, "urban": replace(wild, detector=detector, classifier=self._urban_classifier)}

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
