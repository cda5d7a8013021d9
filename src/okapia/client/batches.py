"""Any number of pictures, in as many calls as it takes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from okapia.client.answers import DetectItem, FilterItem
from okapia.client.connection import Connection
from okapia.client.errors import BadImage, PayloadTooLarge, UnexpectedAnswer
from okapia.client.images import Image, Picture, in_batches, read_picture
from okapia.client.options import Options
from okapia.client.reading import Answer, read, read_rows

Item = TypeVar("Item", DetectItem, FilterItem)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch(Answer):
    id: str


@dataclass(frozen=True, slots=True)
class BatchCall(Generic[Item]):
    """A batch call of the contract, for more pictures than it takes.

    Attributes:
        item: what its answer holds for each picture.
    """

    connection: Connection
    path: str
    item: type[Item]
    options: Options

    def items(self, images: Iterable[Image]) -> Iterator[Item]:
        """Give an item for each picture, in their order, reading and sending them as they are asked for.

        Raises:
            ApiError: a call was refused for another reason than its pictures.
            OSError: a picture cannot be read from disk.
        """
        place = 0
        for pictures in in_batches(map(read_picture, images)):
            for item in self._answered(pictures):
                yield replace(item, index=place)
                place += 1

    def _answered(self, pictures: Sequence[Picture]) -> tuple[Item, ...]:
        """Send pictures together; where that is too much, or not one can be read, in halves.

        The server names the first fault only, so each of the pictures has to be alone once to get its own.
        """
        try:
            return self._sent(pictures)
        except (BadImage, PayloadTooLarge) as error:
            if len(pictures) == 1:
                notice = {"code": error.code, "message": str(error.args[0])}
                return (read(self.item, {"index": 0, "filename": pictures[0].name, "error": notice}),)
        half = len(pictures) // 2
        return self._answered(pictures[:half]) + self._answered(pictures[half:])

    def _sent(self, pictures: Sequence[Picture]) -> tuple[Item, ...]:
        form = self.options.fields()
        document = self.connection.post_pictures(self.path, pictures, part="images", form=form).document
        items = read_rows(self.item, document, "results")
        if len(items) != len(pictures):
            raise UnexpectedAnswer(f"expected {len(pictures)} results, got {len(items)}")
        batch = read(_Batch, document)
        return tuple(replace(item, batch_id=batch.id) for item in items)
