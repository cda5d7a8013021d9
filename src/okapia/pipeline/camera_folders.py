"""Which folders a camera makes by itself, and which name a day: neither says where a camera stood."""

import re
from collections.abc import Sequence
from typing import Final

_CARD: Final = re.compile(r"DCIM(?:[ _-]*\(?\d{0,3}\)?)?", re.IGNORECASE)
"""The camera's own root folder (JEITA CP-3461, DCF), and its second copies: DCIM2, "DCIM (2)"."""

_NUMBERED: Final = re.compile(r"[1-9]\d\d[0-9A-Z_]{5}", re.IGNORECASE)
"""Any folder inside DCIM by the same standard: 100 to 999 and five characters."""

# The same folders copied without DCIM around them. Only known makers' then: "123RIVER" may be a place.
_KNOWN_NUMBERED: Final = re.compile(
    r"""[1-9]\d\d(?:
        RECNX         # Reconyx
      | EK\d\d\d      # Bushnell
      | _BTCF         # Browning
      | MEDIA         # many consumer cameras, mobile phones
      | DSCIM         # Ltl Acorn and its relatives
      | MSDCF         # Sony
      | CANON | NIKON | OLYMP | PENTX | GOPRO | APPLE | _PANA | _FUJI
    )
  | RECO?NY?X\d{3}    # Reconyx with the number behind, as Timelapse's and MegaDetector's users have it
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""The first five as in MegaDetector's `image_file_to_camera_folder` (MIT), which drops them too."""

_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_NAMED_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DATES = (
    rf"{_YEAR}[-_. ]{_MONTH}(?:[-_. ]{_DAY})?",  # 2024-05-01, 2024-05
    rf"{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])",  # 20240501
    rf"{_DAY}[-_. ]{_DAY}[-_. ]{_YEAR}",  # 01.05.2024, 5-1-2024
    rf"(?:{_DAY}[-_. ]?)?{_NAMED_MONTH}[-_. ]?{_YEAR}",  # 1 May 2024, May 2024
    rf"{_NAMED_MONTH}[-_. ]?{_DAY},?[-_. ]{_YEAR}",  # May 1, 2024
    rf"{_YEAR}[-_. ]?{_NAMED_MONTH}(?:[-_. ]?{_DAY})?",  # 2024-May-01
)
_TIME = r"(?:[-_ T]+\d\d[-_.:h]?\d\d(?:[-_.:m]?\d\d)?)?"
_DATE = f"(?:{'|'.join(_DATES)}){_TIME}"
_PERIOD: Final = re.compile(rf"{_DATE}(?:[-_ ]*(?:to|-|\u2013|_)?[-_ ]*{_DATE})?", re.IGNORECASE)
"""A day, a month, or a span of them. Not a year: cameras are numbered, and 2041 may be one of them."""


def is_camera_made(folder: str, *, parent: str = "") -> bool:
    """Whether a camera made a folder of this name; inside `parent`, a card's DCIM, more are."""
    if _CARD.fullmatch(folder) or _KNOWN_NUMBERED.fullmatch(folder):
        return True
    return _CARD.fullmatch(parent) is not None and _NUMBERED.fullmatch(folder) is not None


def is_plain_date(folder: str) -> bool:
    """Whether a name is a date, or two, and nothing else."""
    return _PERIOD.fullmatch(folder.strip()) is not None


def lasting(folders: Sequence[str]) -> tuple[str, ...]:
    """Give the folders, outermost first, that neither a camera nor the calendar named."""
    parents = ("", *folders)
    return tuple(
        folder
        for parent, folder in zip(parents, folders, strict=False)
        if not is_camera_made(folder, parent=parent) and not is_plain_date(folder)
    )
