"""One folder run: what was asked, the work picture by picture, and what came of it."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from okapia import __version__
from okapia.app import build_service
from okapia.domain.errors import InvalidRequest, NothingToDo, OutputNotWritable, UnreadableFile
from okapia.domain.types import (
    Analysis,
    AnalysisOptions,
    Failure,
    ImageResult,
    ModelChoice,
    ModelReport,
    People,
)
from okapia.formats.base import RunInfo
from okapia.formats.megadetector import MegaDetectorWriter
from okapia.pipeline.assemble import PROFILES
from okapia.service import NamedImage, Service
from okapia.settings import Settings
from okapia.storage.folder import FoundImage, ScanProblem, read_image, scan

RESULTS_NAME = "okapia_results.json"
FIRST_LOOK = (
    "Lite models are for a first look, not for a survey: of 14 camera-trap test pictures they put 12 into "
    "the right category and missed a person and a hen (docs/accuracy.md). Surveys need the profile field, "
    "`okapia models pull field`, which this version does not have yet."
)
FAILURES_SHOWN = 20


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
        profile: str | None,
        detector: str | None,
        classifier: str | None,
        canvas: int | None,
        render: Path | None,
        people: str,
    ) -> Self:
        """Check the options of the command.

        Raises:
            InvalidRequest: a path is missing, or a name is none of the known ones.
        """
        if people not in {p.value for p in People}:
            raise InvalidRequest(f"expected blur, fill or show, got {people!r}", param="people")
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
            people=People(people),
        )


def _default_output(paths: list[Path]) -> Path:
    """Beside the pictures when one folder was named, in the working folder otherwise."""
    return paths[0] / RESULTS_NAME if len(paths) == 1 and paths[0].is_dir() else Path(RESULTS_NAME)


def _choice(
    settings: Settings, *, profile: str | None, detector: str | None, classifier: str | None, classify: bool
) -> ModelChoice:
    if profile is not None and profile not in PROFILES:
        raise InvalidRequest(f"expected a profile of {', '.join(PROFILES)}, got {profile!r}", param="profile")
    default = PROFILES[profile] if profile else ModelChoice(settings.detector, settings.classifier or None)
    return ModelChoice(detector or default.detector, (classifier or default.classifier) if classify else None)


def _with_canvas(settings: Settings, choice: ModelChoice, canvas: int | None) -> Settings:
    if canvas is None:
        return settings
    animal_detector = choice.detector.partition("+")[0]
    return settings.model_copy(update={"canvases": settings.canvases | {animal_detector: canvas}})


@dataclass(slots=True)
class Summary:
    """What came of a run.

    Attributes:
        found: pictures by what they hold at the threshold; a picture with an animal and a
            person counts under both, one without any under `blank`.
        failures: name and reason of every picture without an answer.
    """

    output: Path
    reports: tuple[ModelReport, ...]
    threshold: float
    images: int = 0
    found: Counter[str] = field(default_factory=Counter)
    damaged: int = 0
    failures: list[tuple[str, Failure]] = field(default_factory=list)

    def add(self, result: ImageResult) -> None:
        self.images += 1
        match result.outcome:
            case Failure() as failure:
                self.failures.append((result.name, failure))
            case Analysis() as analysis:
                self.found.update(c.value for c in analysis.above(self.threshold).categories())
                self.found["blank"] += not analysis.above(self.threshold).detections
                self.damaged += analysis.image.is_damaged

    @property
    def is_lite(self) -> bool:
        lite = PROFILES["lite"]
        return any(r.model_id in lite.detector or r.model_id == lite.classifier for r in self.reports)

    def as_json(self, seconds: float) -> str:
        """One JSON object for machines."""
        document = {
            "output": str(self.output),
            "images": self.images,
            "found": dict(+self.found),
            "damaged": self.damaged,
            "failed": len(self.failures),
            "failures": [{"file": name, "code": f.code, "message": f.message} for name, f in self.failures],
            "seconds": round(seconds, 2),
            "images_per_second": round(self.images / seconds, 2),
            "models": self.reports,
            "note": FIRST_LOOK if self.is_lite else None,
        }
        return orjson.dumps(document).decode("utf-8", errors="backslashreplace")

    def as_text(self, seconds: float) -> str:
        """Lines for people; the last says how far the models can be trusted."""
        rate = self.images / seconds
        counts = ", ".join(f"{count} {what}" for what, count in sorted((+self.found).items()))
        head = f"{self.images} pictures in {seconds:.0f} s ({rate:.1f} a second)"
        lines = [f"{head}: {counts or 'none with an answer'}"]
        if self.damaged:
            lines.append(f"{self.damaged} damaged files: what could be decoded was analysed")
        if self.failures:
            lines.append(f"{len(self.failures)} without an answer:")
            lines += [
                f"  {printable(name)}: {f.message} [{f.code}]" for name, f in self.failures[:FAILURES_SHOWN]
            ]
            if len(self.failures) > FAILURES_SHOWN:
                lines.append(
                    f"  … and {len(self.failures) - FAILURES_SHOWN} more; all are in the results file"
                )
        lines.append(f"Results: {printable(str(self.output))}")
        return "\n".join([*lines, FIRST_LOOK] if self.is_lite else lines)


def printable(name: str) -> str:
    """Make a name of undecodable bytes safe to print."""
    return name.encode("utf-8", errors="backslashreplace").decode()


class FolderRun:
    """Carries out a plan with the same service that the server uses."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def execute(self, *, is_quiet: bool) -> Summary:
        """Analyse every picture and write the results file.

        Args:
            is_quiet: show no progress bar.

        Raises:
            NothingToDo: there is no picture under the given paths.
            OutputNotWritable: found out before any picture is analysed.
            ModelNotInstalled: a model has to be pulled first.
        """
        plan = self._plan
        total = sum(1 for _ in scan(plan.paths))
        if total == 0:
            raise NothingToDo(f"no pictures in {', '.join(map(str, plan.paths))}")
        if plan.render is not None:
            _make_folder(plan.render)
        service = build_service(plan.settings)
        try:
            with MegaDetectorWriter(plan.output, keep_above=plan.keep_above) as writer:
                reports = service.prepare(plan.choice)
                summary = Summary(plan.output, reports, plan.options.threshold)
                with _progress(total, is_quiet=is_quiet) as advance:
                    for result in self._results(service):
                        writer.add(result)
                        summary.add(result)
                        advance()
                writer.finish(_run_info(plan, summary))
        finally:
            service.close()
        return summary

    def _results(self, service: Service) -> Iterator[ImageResult]:
        plan = self._plan
        images = (_named(found, plan.settings.max_file_bytes) for found in scan(plan.paths))
        also = partial(self._draw, service, plan.render) if plan.render is not None else None
        return service.analyze_many(images, plan.options, choice=plan.choice, also=also)

    def _draw(self, service: Service, folder: Path, result: ImageResult, data: bytes) -> None:
        """Write a copy with boxes of a picture in which something was found."""
        if not isinstance(result.outcome, Analysis):
            return
        found = result.outcome.above(self._plan.options.threshold).detections
        if not found:
            return
        target = (folder / result.name).with_suffix(".jpg")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(service.draw(data, found, people=self._plan.people))
        except OSError as error:
            raise OutputNotWritable(f"cannot write {printable(str(target))}: {error.strerror}") from error


def _named(found: FoundImage | ScanProblem, max_bytes: int) -> NamedImage:
    """Make a picture that is read in the worker, just before it is analysed."""
    match found:
        case FoundImage(path=path, name=name):
            return NamedImage(name, partial(read_image, path, max_bytes=max_bytes))
        case ScanProblem(name=name, error=error):
            return NamedImage(name, partial(_refuse, error))


def _refuse(error: UnreadableFile) -> bytes:
    raise error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritable(f"cannot make the folder {folder}: {error.strerror}") from error


@contextmanager
def _progress(total: int, *, is_quiet: bool) -> Iterator[Callable[[], None]]:
    """Show a bar with rate and time left on a terminal; gives what to call per picture."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=is_quiet or not console.is_terminal) as progress:
        task = progress.add_task("", total=total, rate="")

        def advance() -> None:
            speed = progress.tasks[task].speed
            progress.update(task, advance=1, rate=f"{speed:.1f}/s" if speed else "")

        yield advance


def _run_info(plan: Plan, summary: Summary) -> RunInfo:
    """Say in the file what made it."""
    now = datetime.now().astimezone()
    return RunInfo(
        detector=plan.choice.detector,
        detection_completed_at=now,
        typical_detection_threshold=plan.options.threshold,
        classifier=plan.choice.classifier,
        classification_completed_at=now if plan.choice.classifier else None,
        summary_report=FIRST_LOOK if summary.is_lite else None,
        manifest={
            "okapia_version": __version__,
            "models": [asdict(report) for report in summary.reports],
            "canvases": plan.settings.canvases,
            "scaling": plan.settings.scaling,
            "keep_above": plan.keep_above,
        },
    )
