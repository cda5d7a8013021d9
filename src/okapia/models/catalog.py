"""Every model that this machine knows: those that ship as cards and those that a person added."""

from collections.abc import Mapping

import structlog

from okapia.domain.errors import ModelError, ModelNotInstalled, UnknownModel
from okapia.domain.models import ModelChoice
from okapia.models.card import PROFILES, ModelCard, builtin_cards
from okapia.models.weights.store import ModelStore
from okapia.models.weights.zoo import catalogue

_log = structlog.get_logger(__name__)

ZOO = "zoo:"
"""How a model of the public zoo is named where models are fetched; here its id is enough."""


class Catalog:
    """Gives cards by id. What is added while a server runs is found without a restart."""

    def __init__(self, store: ModelStore, *, builtin: Mapping[str, ModelCard] | None = None) -> None:
        """Know the cards of `store` beside the `builtin` ones (those that ship with Okapia)."""
        self.store = store
        self._builtin = builtin_cards() if builtin is None else builtin

    def card(self, model_id: str) -> ModelCard:
        """Give the card of `model_id`, with or without `zoo:` before it.

        Raises:
            UnknownModel: no card has this id.
            ModelNotInstalled: it is a model of the public zoo that was not fetched.
            ModelError: its card is not readable.
        """
        name = model_id.removeprefix(ZOO)
        if name in self._builtin:
            return self._builtin[name]
        added = self.store.card(name)
        if added is not None:
            return added
        if catalogue.entry(name) is not None:
            raise ModelNotInstalled(name, command=f"okapia models pull {ZOO}{name}")
        raise UnknownModel(model_id, known=list(self.cards()))

    def cards(self) -> dict[str, ModelCard]:
        """Give every card by id; one that is not readable is logged and left out."""
        return dict(self._builtin) | self._added()

    def profiles(self) -> dict[str, ModelChoice]:
        """Give the models that belong together, by name."""
        return PROFILES | self.store.pipelines()

    def is_builtin(self, model_id: str) -> bool:
        return model_id in self._builtin

    def _added(self) -> dict[str, ModelCard]:
        added = {}
        for model_id in self.store.ids():
            try:
                card = self.store.card(model_id)
            except ModelError as error:
                _log.warning("card_unreadable", model=model_id, problem=str(error))
                continue
            if card is not None:
                added[model_id] = card
        return added
