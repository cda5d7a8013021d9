"""The narrow waist: what a caller may ask, on which models, counted.

Doors (HTTP dialects, commands) call this and nothing below it. It knows no HTTP and no pixels.
"""

from okapia.accounts.replays import Replay
from okapia.service.analysis import NamedImage, Service
from okapia.service.calls import Call
from okapia.service.meters import Meters
from okapia.service.models import URBAN, WILD, Models
from okapia.service.species import AUTO, ResolvedPlace, Species, Warned
from okapia.webhooks.events import Seen

__all__ = [
    "AUTO",
    "URBAN",
    "WILD",
    "Call",
    "Meters",
    "Models",
    "NamedImage",
    "Replay",
    "ResolvedPlace",
    "Seen",
    "Service",
    "Species",
    "Warned",
]
