"""Microsoft's synchronous detector API for camera traps: up to eight pictures in, one form of answers out.

All its ages at once: the hosted one of 2019 to 2022 (`confidence`, keys of API Management) and the last one,
run by oneself (`min_confidence`, `min_rendering_confidence`, the header `key`).
"""

from okapia.dialects.base import Dialect
from okapia.dialects.microsoft_detect.detect import build

dialect = Dialect(
    "microsoft_detect",
    "microsoft/CameraTraps, api/synchronous, states of 2020-07 and 2022-11",
    build,
    also_under=("/api",),  # as the hosted one's base URL had it
)
