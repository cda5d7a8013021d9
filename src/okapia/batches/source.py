"""Where the pictures of a batch come from, and what can go wrong with all of them at once."""

from collections.abc import Iterator
from typing import Protocol

from okapia.batches.items import Item
from okapia.domain.errors import BadImage, OkapiaError


class SourceGone(OkapiaError):
    """The place itself cannot be reached: no picture is at fault, and none is written down as failed."""

    code = "source_gone"


class CredentialsNeeded(OkapiaError):
    """The place refuses the credentials that it is asked with: expired, without the right, or none."""

    code = "credentials_needed"


class MissingPicture(BadImage):
    """The picture was listed, and is not there any more."""

    code = "missing"

    def __init__(self) -> None:
        super().__init__("the picture was listed, and is not there any more")


class Source(Protocol):
    """A folder, a container, a list: found once, read by any number of workers.

    Raises, in both methods: `SourceGone` where trying again later makes sense, `CredentialsNeeded` where
    somebody has to give others first.
    """

    def items(self) -> Iterator[Item]:
        """Find the pictures, in an order that is the same every time, in constant memory."""
        ...

    def read(self, item: Item) -> bytes:
        """Give a picture's file.

        Raises:
            MissingPicture: it is not there any more.
            BadImage: it cannot be read, and that is its own fault.
        """
        ...
