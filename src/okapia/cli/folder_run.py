"""One folder run: every picture analysed with the server's own service, one results file written."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import typer

from okapia import __version__
from okapia.app import build_service
from okapia.cli.bar import progress_bar
from okapia.cli.run_plan import Plan
from okapia.cli.run_summary import FIRST_LOOK, Summary
from okapia.domain.errors import (
    CamerasWithoutPlace,
    InvalidRequest,
    NothingToDo,
    OutputNotWritable,
    StoppedByPerson,
    UnreadableFile,
)
from okapia.domain.types import Analysis, ImageResult, Where
from okapia.formats.base import ResultWriter, RunInfo, Writing
from okapia.formats.megadetector import as_utf8
from okapia.pipeline.cameras import Cameras
from okapia.pipeline.deployments import Deployments
from okapia.pipeline.neighbours import smooth_sequences
from okapia.service import AUTO, NamedImage, ResolvedPlace, Service
from okapia.storage.folder import FoundImage, ScanProblem, read_image, scan


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
        cameras = plan.species.cameras(root=plan.paths[0].name)
        service = build_service(plan.settings)
        try:
            found = self._place(service)
            writing = Writing(plan.keep_above, "+".join(plan.choice.model_ids), plan.species.top_k)
            with plan.result_format.writer(plan.output, writing) as writer:
                summary = Summary(
                    plan.output, service.check_ready(plan.choice), plan.options.threshold, found.where
                )
                with progress_bar(total, is_quiet=is_quiet) as advance:
                    self._analyse(self._results(service, found.where), writer, summary, advance, cameras)
                writer.finish(_run_info(plan, summary))
        finally:
            service.close()
        return summary

    def _place(self, service: Service) -> ResolvedPlace:
        """Look up where the pictures were taken; what was not used of it is said."""
        asked = self._plan.species
        if asked.asks_deployments:
            found = _where_cameras_stood(service, asked.table)
        else:
            found = service.species.place(asked.country, asked.state, asked.latitude, asked.longitude)
        for warning in found.warnings:
            typer.echo(f"okapia: warning: {warning.message}", err=True)
        return found

    def _analyse(
        self,
        results: Iterator[ImageResult],
        writer: ResultWriter,
        summary: Summary,
        advance: Callable[[], None],
        cameras: Cameras,
    ) -> None:
        """Take every picture; when a person stops the run, keep what it has got."""
        plan = self._plan
        counted = _counted(results, advance)
        try:
            for result in _in_sequences(counted, cameras) if plan.is_sequenced else counted:
                writer.add(result)
                summary.add(result)
        except KeyboardInterrupt:
            partial_output = plan.output.with_suffix(f".partial{plan.output.suffix}")
            writer.finish(_run_info(plan, summary), target=partial_output)
            raise StoppedByPerson(images=summary.images, output=as_utf8(str(partial_output))) from None

    def _results(self, service: Service, where: Where) -> Iterator[ImageResult]:
        plan = self._plan
        options = replace(plan.options, where=where)
        images = (_named(found, plan.settings.max_file_bytes) for found in scan(plan.paths))
        also = partial(self._draw, service, plan.render) if plan.render is not None else None
        return service.analyze_many(images, options, choice=plan.choice, also=also)

    def _draw(self, service: Service, folder: Path, result: ImageResult, data: bytes) -> None:
        """Write a copy with boxes of a picture in which something was found."""
        if not isinstance(result.outcome, Analysis):
            return
        found = result.outcome.above(self._plan.options.threshold).detections
        if not found:
            return
        is_jpeg = result.name.lower().endswith((".jpg", ".jpeg"))
        target = folder / (result.name if is_jpeg else f"{result.name}.jpg")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(service.draw(data, found, people=self._plan.people))
        except OSError as error:
            raise OutputNotWritable(f"cannot write {as_utf8(str(target))}: {error.strerror}") from error


def _where_cameras_stood(service: Service, table: Deployments) -> ResolvedPlace:
    """Give the country that all deployments lie in.

    Raises:
        CamerasWithoutPlace: the table does not say where some stood.
        InvalidRequest: they stood in several countries or states.
    """
    if lacking := sorted({row.camera for row in table.rows if row.place is None}):
        raise CamerasWithoutPlace(lacking)
    points = [row.place for row in table.rows if row.place is not None]
    places = {service.species.place(AUTO, None, p.latitude, p.longitude).where for p in points}
    if len(places) != 1:
        names = ", ".join(sorted("-".join(filter(None, (w.country, w.state))) or "nowhere" for w in places))
        raise InvalidRequest(
            f"expected deployments in one country and state, got {names or 'none'}; run each by itself",
            param="country",
        )
    return ResolvedPlace(places.pop())


def _counted(results: Iterator[ImageResult], advance: Callable[[], None]) -> Iterator[ImageResult]:
    for result in results:
        advance()
        yield result


def _in_sequences(results: Iterator[ImageResult], cameras: Cameras) -> Iterator[ImageResult]:
    """Smooth whole sequences; every result is in memory until the last has come."""
    yield from smooth_sequences(list(results), cameras)


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


def _name_of(file: Path | None) -> str | None:
    return file.name if file else None


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
            "scaling": plan.settings.scaling,
            "truncated": plan.settings.truncated,
            "keep_above": plan.keep_above,
            "country": summary.where.country,
            "state": summary.where.state,
            "smooth": plan.options.smooth.value,
            "geofence": _name_of(plan.settings.geofence),
            "species_list": _name_of(plan.settings.species_list),
        },
    )
