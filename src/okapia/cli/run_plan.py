"""What a person asked of `okapia run`, checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from okapia.domain.errors import InvalidRequest
from okapia.domain.types import AnalysisOptions, ModelChoice, People
from okapia.models.catalog import Catalog
from okapia.models.weights.store import ModelStore
from okapia.settings import Settings

RESULTS_NAME = "okapia_results.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a person asked for, checked.

    Attributes:
        keep_above: weakest box written, 0.01..0.99.
        render: folder for drawn copies, or None.
    """

    settings: Settings
    paths: tuple[Path, ...]
    output: Path
    options: AnalysisOptions
    keep_above: float
    choice: ModelChoice
    render: Path | None
    people: People

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        paths: list[Path],
        output: Path | None,
        keep_above: float,
        classify: bool,
        profile: str,
        detector: str | None,
        classifier: str | None,
        canvas: int | None,
        render: Path | None,
        people: People,
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
        choice = _choice(
            settings, profile=profile, detector=detector, classifier=classifier, classify=classify
        )
        return cls(
            settings=_with_canvas(settings, choice, canvas),
            paths=tuple(paths),
            output=output or _default_output(paths),
            options=AnalysisOptions(settings.threshold, classify),
            keep_above=min(keep_above, settings.threshold),
            choice=choice,
            render=render,
            people=people,
        )


def _default_output(paths: list[Path]) -> Path:
    """Beside the pictures when one folder was named, in the working folder otherwise."""
    return paths[0] / RESULTS_NAME if len(paths) == 1 and paths[0].is_dir() else Path(RESULTS_NAME)


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
