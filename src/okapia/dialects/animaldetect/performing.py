"""Jobs, done as the calls that do the same at once."""

from collections.abc import Mapping

from okapia.dialects.animaldetect.answering import Answers, Way, dump
from okapia.dialects.animaldetect.answers import Kept
from okapia.dialects.animaldetect.asking import Asked, Parameters, parameters_of
from okapia.dialects.animaldetect.text import TextAnswer
from okapia.domain.errors import InvalidRequest, UnknownModel
from okapia.domain.types import Failure
from okapia.service import URBAN, WILD
from okapia.service.jobs import Job, Operation, Performed
from okapia.web.context import Context

_WAYS = {
    Operation.DETECT: (WILD, False),
    Operation.DETECT_URBAN: (URBAN, False),
    Operation.FILTER: (WILD, True),
    Operation.FILTER_URBAN: (URBAN, True),
}
"""The profile of an operation, and whether it is coarse."""


class Performer:
    """Checks what jobs ask, and does it with their pictures."""

    def __init__(self, context: Context) -> None:
        self._service = context.service
        self._threshold = context.threshold
        self._answers = Answers(context)

    def options(self, operation: Operation, given: Mapping[str, object]) -> dict[str, object]:
        """Give a new job's parameters as they are kept: checked, today's defaults filled in.

        Raises:
            InvalidRequest: one is out of range, names no country or no place, or asks for a picture.
            UnknownModel: it names a model that there is not.
            PlacesUnavailable: it names a point, and borders are not installed.
            OcrNotInstalled: text is to be read, and cannot be here.
        """
        if operation is Operation.SCAN_IMAGE_TEXT:
            self._service.texts.check_installed()
            return {}
        parameters = parameters_of({"threshold": self._threshold, **given})
        if parameters.render:
            raise InvalidRequest("render: a job's answer is JSON, never a picture", param="render")
        self._check_models(parameters)
        self._way(operation, Asked(b"", "", parameters))
        return parameters.model_dump(mode="json", exclude_none=True)

    def perform(self, job: Job, picture: bytes) -> Performed:
        """Analyse or read a job's picture after those that somebody waits for; raises `OkapiaError`."""
        if job.operation is Operation.SCAN_IMAGE_TEXT:
            strip = self._service.texts.read_later(picture)
            return Performed(dump(TextAnswer.model_validate(strip, from_attributes=True)))
        asked = Asked(picture, job.filename, Parameters.model_validate(job.options))
        way = self._way(job.operation, asked)
        [result] = self._service.analyze_many([asked.image], way.options(asked), choice=way.choice)
        if isinstance(result.outcome, Failure):
            return Performed(result.outcome)
        kept = Kept(job.expires_at, job.id)
        answer = self._answers.answer(asked, result, result.outcome, way, kept=kept)
        return Performed(dump(answer), result.outcome.above(asked.parameters.threshold))

    def _way(self, operation: Operation, asked: Asked) -> Way:
        profile, is_coarse = _WAYS[operation]
        return self._answers.way(asked, profile, is_coarse=is_coarse)

    def _check_models(self, parameters: Parameters) -> None:
        """Look up the models that the caller names; those of the profiles are the operator's."""
        named = [*(parameters.detector or "").split("+"), parameters.classifier or ""]
        wanted = [model_id for model_id in named if model_id]
        known = [facts.id for facts in self._service.models.facts()] if wanted else []
        for model_id in wanted:
            if model_id.removeprefix("zoo:") not in known:
                raise UnknownModel(model_id, known=known)
