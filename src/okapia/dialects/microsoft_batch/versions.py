"""The models that a request may name as its `model_version`."""

from dataclasses import replace

from okapia.domain.errors import InvalidRequest
from okapia.domain.models import ModelChoice
from okapia.service import URBAN, WILD
from okapia.web.context import Context


class Versions:
    """Names what this server really has.

    The default is the detector of the profile `wild`, as Microsoft's API only finds boxes; the others are the
    installed detectors and, with species, the profiles. The setting `model_aliases` renames detectors, which
    lets programs go on asking for `4.1`.
    """

    def __init__(self, context: Context) -> None:
        self._models = context.service.models
        self._aliases = context.model_aliases

    @property
    def default(self) -> str:
        return self._name(self._boxes_only)

    def supported(self) -> list[str]:
        """Give all names, sorted."""
        return sorted(self._choices())

    def choice(self, version: str) -> ModelChoice:
        """Give the models of a version; of the default one for an empty name.

        Raises:
            InvalidRequest: no version is called that.
        """
        if not version:
            return self._boxes_only
        choices = self._choices()
        if version not in choices:
            message = f"model_version {version[:92]} is not supported."
            raise InvalidRequest(message, param="model_version")
        return choices[version]

    @property
    def _boxes_only(self) -> ModelChoice:
        return replace(self._models.choice(), classifier=None)

    def _choices(self) -> dict[str, ModelChoice]:
        installed = {facts.id: facts.task for facts in self._models.facts() if facts.sha256}
        profiles = {name: self._models.choice(name) for name in (WILD, URBAN)}
        detectors = [ModelChoice(id_, None) for id_, task in installed.items() if task == "detector"]
        wild_ones = [choice for choice in detectors if not self._models.finds_faces(choice)]
        return {
            **{name: choice for name, choice in profiles.items() if {*choice.model_ids} <= {*installed}},
            **{self._name(choice): choice for choice in (*wild_ones, self._boxes_only)},
        }

    def _name(self, choice: ModelChoice) -> str:
        model_id = "+".join(choice.model_ids)
        return self._aliases.get(model_id, model_id)
