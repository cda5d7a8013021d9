"""The results file of a run, written from what the ledger has."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from okapia.cli.run_plan import Plan
from okapia.cli.run_summary import FIRST_LOOK, Summary
from okapia.domain.types import ImageResult
from okapia.formats.base import ResultWriter, RunInfo, Writing
from okapia.formats.shard_file import ShardRow
from okapia.pipeline.cameras import Cameras
from okapia.pipeline.neighbours import smooth_sequences
from okapia.service.manifest import Manifest


class ResultsFile:
    """Writes a run's results, as often as there are new ones."""

    def __init__(self, plan: Plan, *, cameras: Cameras, manifest: Manifest) -> None:
        """Write where and how `plan` says.

        Raises:
            OutputNotWritable: nothing can be written there.
        """
        self._plan = plan
        self._cameras = cameras
        self._manifest = manifest
        with self._writer():  # left without `finish`, it leaves no trace
            pass

    @property
    def partial(self) -> Path:
        """Where the answers go that there are, when a person stops the run."""
        output = self._plan.output
        return output.with_suffix(f".partial{output.suffix}")

    def write(self, rows: Iterable[ShardRow], *, target: Path | None = None) -> Summary:
        """Put the answers into the file, or into `target` beside it; gives what they are.

        Raises:
            OutputNotWritable: the disk is full or gone.
            ShardDamaged, StorageUnavailable, StorageRefused: the answers cannot be read.
        """
        plan, made_by = self._plan, self._manifest
        summary = Summary(plan.output, made_by.models, made_by.threshold, made_by.options.where)
        with self._writer() as writer:
            for result in self._smoothed(row.result for row in rows):
                writer.add(result)
                summary.add(result)
            writer.finish(self._info(summary), target=target)
        return summary

    def _writer(self) -> ResultWriter:
        plan = self._plan
        writing = Writing(plan.keep_above, "+".join(plan.choice.model_ids), plan.species.top_k)
        return plan.result_format.writer(plan.output, writing)

    def _smoothed(self, results: Iterator[ImageResult]) -> Iterator[ImageResult]:
        """Smooth whole sequences where that was asked: then all results are in memory."""
        if self._plan.is_sequenced:
            yield from smooth_sequences(list(results), self._cameras)
        else:
            yield from results

    def _info(self, summary: Summary) -> RunInfo:
        """Say in the file what made it."""
        plan, now = self._plan, datetime.now().astimezone()
        return RunInfo(
            detector=plan.choice.detector,
            detection_completed_at=now,
            typical_detection_threshold=plan.options.threshold,
            classifier=plan.choice.classifier,
            classification_completed_at=now if plan.choice.classifier else None,
            summary_report=FIRST_LOOK if summary.is_lite else None,
            manifest=self._manifest.as_json(),
        )
