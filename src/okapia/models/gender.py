"""Gender readers: networks that guess from a face whether it is a man's or a woman's."""

from collections.abc import Sequence

import numpy as np

from okapia.domain.errors import ModelError
from okapia.domain.models import ModelReport
from okapia.domain.types import BBox, Gender, Size
from okapia.models.base import Session, Tensor
from okapia.models.card import ModelCard
from okapia.models.classifier import MAX_CROPS
from okapia.models.tensors import network_input, viewed
from okapia.vision.resample import Pixels


class GenderReader:
    """A network from (N, ...) faces to (N, 1): the probability, 0..1, that it is a man's."""

    def __init__(self, card: ModelCard, session: Session, *, canvas: Size, report: ModelReport) -> None:
        self._card = card
        self._session = session
        self._canvas = canvas
        self.reports = (report,)

    def region(self, bbox: BBox, picture: Size) -> BBox:
        return viewed(bbox, picture, self._card.view)

    def read(self, faces: Sequence[Pixels]) -> list[Gender]:
        pieces = (faces[start : start + MAX_CROPS] for start in range(0, len(faces), MAX_CROPS))
        return [Gender(float(man)) for piece in pieces for man in self._men(piece)]

    def _men(self, faces: Sequence[Pixels]) -> Tensor:
        """(N,), of at most `MAX_CROPS` faces."""
        recipe = self._card.preprocessing
        rows = np.concatenate([network_input(face, recipe, self._canvas)[0] for face in faces])
        (output, *more) = self._session.run(rows).values()
        if more or output.size != len(faces):
            raise ModelError(
                f"{self._card.id}: expected one number for each of {len(faces)} faces, "
                f"the network answers {output.shape}"
            )
        # Not finite, or no probability: no word could be made of it.
        if not ((output >= 0) & (output <= 1)).all():
            raise ModelError(f"{self._card.id} answered with numbers that are not within 0..1")
        return output.reshape(-1)


build = GenderReader
