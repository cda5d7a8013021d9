"""The narrow waist: what a caller may ask, on which models, counted.

Doors (HTTP dialects, commands) call this and nothing below it. It knows no HTTP and no pixels.
"""

from okapia.service.analysis import NamedImage, Service
from okapia.service.meters import Meters
from okapia.service.models import FACES, OBJECTS, URBAN, WILD, Models
from okapia.service.species import AUTO, ResolvedPlace, Species, Warned

__all__ = [
    "AUTO",
    "FACES",
    "OBJECTS",
    "URBAN",
    "WILD",
    "Meters",
    "Models",
    "NamedImage",
    "ResolvedPlace",
    "Service",
    "Species",
    "Warned",
]
