"""What a person asked of `okapia run`, checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from okapia.domain.clips import VIDEO_SUFFIXES, FrameRule
from okapia.domain.errors import InvalidRequest
from okapia.domain.models import ModelChoice
from okapia.domain.types import AnalysisOptions, People, Smooth
from okapia.formats.base import Format, format_named
from okapia.models.catalog import Catalog
from okapia.models.weights.store import ModelStore
from okapia.pipeline.cameras import Cameras, parse_camera_rule
from okapia.pipeline.deployments import Deployments, read_deployments
from okapia.service import AUTO
from okapia.settings import Settings
from okapia.storage.folder import SUFFIXES, scan

RESULTS_NAME = "okapia_results"


@dataclass(frozen=True, slots=True)
class SpeciesPlan:
    """What a person said about the place, and about how answers are made.

    Attributes:
        camera: how cameras are told apart, for sequences; None for the folder.
        deployments: table of cameras, their places and periods.
        top_k: classes written for a box; None for all.
    """

    country: str | None = None
    state: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    smooth: Smooth = Smooth.OFF
    camera: str | None = None
    deployments: Path | None = None
    top_k: int | None = None

    def cameras(self, *, root: str) -> Cameras:
        """Give what tells a picture's camera.

        Args:
            root: name of the folder that the pictures lie in.

        Raises:
            InvalidRequest: the rule is none, or the table is not readable.
            InvalidDeployments: the table contradicts itself.
        """
        return Cameras(parse_camera_rule(self.camera, root=root), self.table)

    @property
    def table(self) -> Deployments:
        """The table of deployments; empty when none was named."""
        return read_deployments(self.deployments) if self.deployments else Deployments()

    @property
    def asks_deployments(self) -> bool:
        """Whether the country is to be taken from where the cameras stood."""
        return self.country == AUTO and self.latitude is None and self.deployments is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a person asked for, checked.

    Attributes:
        options: without the place, which only the service can look up.
        keep_above: weakest box written, 0.01..0.99.
        render: folder for drawn copies, or None.
        uses_cache: whether answers count that were given before, by finished runs or anywhere else.
        cluster: address of the Ray cluster whose `actors` look at the pictures; None for this process.
    """

    settings: Settings
    paths: tuple[Path, ...]
    output: Path
    result_format: Format
    options: AnalysisOptions
    keep_above: float
    choice: ModelChoice
    species: SpeciesPlan
    render: Path | None
    people: People
    uses_cache: bool
    cluster: str | None = None
    actors: int = 1

    @property
    def suffixes(self) -> frozenset[str]:
        """What the names of files end with that are looked at inside folders."""
        return SUFFIXES | set(VIDEO_SUFFIXES) if self.options.frames else SUFFIXES

    @property
    def is_sequenced(self) -> bool:
        """Whether answers wait for the pictures around theirs."""
        return self.options.smooth is Smooth.SEQUENCE

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        paths: list[Path],
        output: Path | None,
        file_format: str,
        keep_above: float,
        classify: bool,
        profile: str,
        detector: str | None,
        classifier: str | None,
        canvas: int | None,
        species: SpeciesPlan,
        render: Path | None,
        people: People,
        uses_cache: bool,
        frames: FrameRule | None,
        cluster: str | None = None,
        actors: int = 1,
    ) -> Self:
        """Check the options of the command.

        Raises:
            InvalidRequest: a name is none of the known ones, or the copies would lie among the pictures.
        """
        if render is not None and any(render.resolve().is_relative_to(path.resolve()) for path in paths):
            raise InvalidRequest(
                f"{render} lies among the pictures, so the next run would take the copies for pictures; "
                "name a folder elsewhere",
                param="render",
            )
        if render is not None and cluster is not None:
            raise InvalidRequest("--render goes without --cluster: actors draw no copies", param="render")
        result_format = format_named(file_format)
        choice = _choice(
            settings, profile=profile, detector=detector, classifier=classifier, classify=classify
        )
        return cls(
            settings=_with_canvas(settings, choice, canvas),
            paths=tuple(paths),
            output=output or _default_output(paths, result_format),
            result_format=result_format,
            options=AnalysisOptions(
                settings.threshold,
                classify,
                smooth=species.smooth,
                crops=result_format.crops,
                frames=frames,
            ),
            keep_above=min(keep_above, settings.threshold),
            choice=choice,
            species=species,
            render=render,
            people=people,
            uses_cache=uses_cache,
            cluster=cluster,
            actors=actors,
        )


def frame_rule(*, is_asked: bool, every: float | None) -> FrameRule | None:
    """Give which frames of video files are looked at; None when none are.

    Raises:
        InvalidRequest: `every` is no number of seconds above 0.
    """
    if every is not None:
        return FrameRule(every)
    return FrameRule() if is_asked else None


def only_plan(plans: list[Plan]) -> Plan:
    """Give the plan of a command that goes on and on; raises `InvalidRequest` when there are several."""
    if len(plans) > 1:
        raise InvalidRequest("--watch goes with one results file: name it with -o", param="watch")
    return plans[0]


def results_apart(paths: list[Path], output: Path | None) -> list[list[Path]]:
    """Say which paths share a results file: all, but of several folders each has its own unless one is named.

    Raises:
        InvalidRequest: a path does not exist, or lies within another.
    """
    scan(paths)
    is_each = output is None and all(path.is_dir() for path in paths)
    return [[path] for path in paths] if is_each else [paths]


def _default_output(paths: list[Path], result_format: Format) -> Path:
    """Beside the pictures when one folder was named, in the working folder otherwise."""
    name = f"{RESULTS_NAME}{result_format.suffix}"
    return paths[0] / name if len(paths) == 1 and paths[0].is_dir() else Path(name)


def _choice(
    settings: Settings, *, profile: str, detector: str | None, classifier: str | None, classify: bool
) -> ModelChoice:
    profiles = settings.profiles | Catalog(ModelStore(settings.models_dir)).profiles()
    if profile not in profiles:
        raise InvalidRequest(f"expected a profile of {', '.join(profiles)}, got {profile!r}", param="profile")
    default = profiles[profile]
    return ModelChoice(
        detector or default.detector,
        (classifier or default.classifier) if classify else None,
        settings.tiles,
    )


def _with_canvas(settings: Settings, choice: ModelChoice, canvas: int | None) -> Settings:
    if canvas is None:
        return settings
    animal_detector = choice.detector.partition("+")[0]
    return settings.model_copy(update={"canvases": settings.canvases | {animal_detector: canvas}})
