"""Which models answer, and what is in memory."""

from collections.abc import Mapping
from dataclasses import replace

import structlog

from okapia.domain.errors import InvalidRequest
from okapia.domain.models import ModelChoice, ModelFacts, ModelReport
from okapia.models.polite import politely
from okapia.models.registry import Registry
from okapia.pipeline.assemble import Assembler
from okapia.pipeline.naming import Naming, RangeFiles
from okapia.pipeline.run import Pipeline

_log = structlog.get_logger(__name__)

WILD, URBAN = "wild", "urban"
"""Profiles of nature, and of places shaped by people. What stands behind them is a setting."""

OBJECTS, FACES = "objects", "faces"
"""Profiles that gateways answer with."""


class Models:
    """Which models answer: the profiles, what is in memory, what there is besides.

    Safe to use from several threads. A change never touches pictures that are on their way:
    they keep the networks that they were given.
    """

    def __init__(
        self, registry: Registry, *, assembler: Assembler, profiles: Mapping[str, ModelChoice]
    ) -> None:
        self._registry = registry
        self._assembler = assembler
        self._profiles = dict(profiles)

    @property
    def profiles(self) -> dict[str, ModelChoice]:
        """The models behind each profile, by its name."""
        return dict(self._profiles)

    @property
    def ranges(self) -> RangeFiles:
        """What answers go by besides what models bring."""
        return self._assembler.ranges

    def choice(self, profile: str = WILD) -> ModelChoice:
        """Give the models of a profile.

        Raises:
            InvalidRequest: there is no such profile.
        """
        if profile not in self._profiles:
            names = ", ".join(self._profiles)
            raise InvalidRequest(f"expected a profile of {names}, got {profile!r}", param="profile")
        return self._profiles[profile]

    def named(self, name: str) -> ModelChoice:
        """Give the models that a caller names: a profile, a model's id, or two detectors joined by `+`.

        A classifier answers together with the detector of `wild`.

        Raises:
            UnknownModel: there is no such profile, and no such model on this machine.
            ModelError: the model's card is not readable.
        """
        if name in self._profiles:
            return self._profiles[name]
        cards = [self._registry.card(model_id) for model_id in name.split("+")]
        if [card.task for card in cards] == ["classifier"]:
            return replace(self.choice(), classifier=cards[0].id)
        return ModelChoice("+".join(card.id for card in cards), None)

    def finds_faces(self, choice: ModelChoice) -> bool:
        """Say whether the boxes of a choice are faces and nothing else; raises as `named` does."""
        return self._registry.card(choice.detector.partition("+")[0]).labels == ("face",)

    def use(self, profile: str, choice: ModelChoice) -> tuple[ModelReport, ...]:
        """Have `choice` answer for a profile from now on, as soon as its networks answer.

        Raises:
            InvalidRequest: there is no such profile.
            ModelError: a model is unknown, not installed, damaged, or does not answer; nothing changes.
        """
        before = self.choice(profile)
        pipeline = self.pipeline(choice)
        politely(pipeline.warm_up)
        self._profiles[profile] = choice
        _log.info("profile_changed", profile=profile, before=before, after=choice)
        return pipeline.reports

    def facts(self) -> list[ModelFacts]:
        """Say of every known model what it is, and of the loaded ones how they run."""
        return self._registry.facts()

    def load(self, model_id: str) -> None:
        """Bring a model into memory; raises what `Registry.detector` raises."""
        self._registry.load(model_id)

    def unload(self, model_id: str) -> bool:
        """Drop a model from memory; False when it was not there. It comes back when it is asked for."""
        return self._registry.unload(model_id)

    def holds(self, choice: ModelChoice) -> bool:
        """Say whether all models of a choice are in memory."""
        return all(self._registry.holds(model_id) for model_id in choice.model_ids)

    def pipeline(self, choice: ModelChoice) -> Pipeline:
        """Make the pipeline of a choice; models that are not in memory are loaded.

        Raises:
            ModelError: a model is unknown, not installed, damaged, or cannot be loaded.
        """
        return self._assembler.pipeline(choice)

    def fingerprint(self, choice: ModelChoice) -> str:
        """Hash what the answers of a choice depend on beside picture and options; raises as `pipeline` does.

        That is the networks, their cards, what runs them in which precision on which kind of device, how
        pictures are decoded, what answers are named with, and Okapia's version.
        """
        return self._assembler.fingerprint(choice)

    def naming(self, choice: ModelChoice) -> Naming:
        """Give what the answers of a choice are made with; raises as `pipeline` does."""
        return self._assembler.naming(choice)

    def evict_idle(self) -> None:
        """Drop models that nobody used lately; to be called now and then."""
        self._registry.evict_idle()
