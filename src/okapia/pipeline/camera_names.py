"""Makers and models of camera traps, as their pictures name them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

_BRANDS: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(rf"\b{pattern}\b")
    for name, pattern in {
        "apeman": "APEMAN",
        "browning": "BROWNING",
        "burrel": "BURREL",
        "bushnell": "BUSHNELL",
        "campark": "CAMPARK",
        "cuddeback": "CUDDEBACK",
        "gardepro": "GARDE ?PRO",
        "keepguard": "KEEP ?GUARD",
        "ltl acorn": "LTL[ -]?ACORN",
        "minox": "MINOX",
        "moultrie": "MOULTRIE(?: ?CAM)?",
        "primos": "PRIMOS",
        "reconyx": "RECONYX",
        "scoutguard": "SCOUT ?GUARD",
        "seissiger": "SEISSIGER",
        "spypoint": "SPY ?POINT",
        "stealth cam": "STEALTH ?CAM",
        "tactacam": "TACTACAM",
        "uovision": "UO ?VISION",
        "victure": "VICTURE",
        "wildgame": "WILD ?GAME",
        "covert": "(?:DLC)?COVERT",  # the last: it is also a word in other makers' names
    }.items()
}

_LOGOS: Final = ("BUSHNELL", "MOULTRIE", "RECONYX")
"""Drawn names, of which a letter is often misread."""

_MODELS: Final = (
    ("reconyx", re.compile(r"\b([A-Z]{2,3}\d{2,3}[A-Z]?) ?(HYPERFIRE|PROFESSIONAL|RAPIDFIRE)\b")),
    ("reconyx", re.compile(r"\b(HYPERFIRE) ?(2) ?(COVERT|PROFESSIONAL|SECURITY)?\b")),
    ("reconyx", re.compile(r"\b(HF2) ?(PRO)? ?(COVERT|SECURITY)?\b")),
    ("bushnell", re.compile(r"\b(TROPHY) ?(CAM) ?(HD)?\b")),
    ("bushnell", re.compile(r"\b(NATURE) ?(VIEW) ?(CAM)? ?(HD)?\b")),
    ("browning", re.compile(r"\b(BTC-\d[A-Z\d]*(?:-[A-Z\d]+)?)\b")),
    ("browning", re.compile(r"\b(DARK|RECON|SPEC|STRIKE) ?(FORCE|OPS)\b")),
    ("ltl acorn", re.compile(r"\b(LTL-\d{4}[A-Z]*)\b")),
)
"""Names that no other maker uses. Short ones (M-80, A5) are also what people call their cameras."""


@dataclass(frozen=True, slots=True)
class CameraName:
    """What a picture says of its camera.

    Attributes:
        brand: lower case.
        model: upper case.
    """

    brand: str | None = None
    model: str | None = None


def find_camera(text: str) -> CameraName:
    """Give the maker and the model that `text` names; a model tells its maker.

    People's own names for a camera ("CAM 3") are neither.
    """
    upper = text.upper()
    for brand, pattern in _MODELS:
        if match := pattern.search(upper):
            return CameraName(brand, " ".join(filter(None, match.groups())))
    named = (brand for brand, pattern in _BRANDS.items() if pattern.search(upper))
    return CameraName(next(named, None) or _misread_logo(upper))


def _misread_logo(upper: str) -> str | None:
    words = re.findall(r"[A-Z]{6,9}", upper)
    near = (get_close_matches(word, _LOGOS, n=1, cutoff=0.85) for word in words)
    return next((match[0].lower() for match in near if match), None)
