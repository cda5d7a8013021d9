"""Microsoft's batch API for camera traps: up to two million pictures in a container or behind URLs.

As its last server had it (v4), and at the addresses of its older ages (v2, v3). Azure Batch, its table of
jobs and its list of callers are Okapia's batches, database and API keys here.
"""

from okapia.dialects.base import Dialect
from okapia.dialects.microsoft_batch.asking import NAME
from okapia.dialects.microsoft_batch.routes import build

dialect = Dialect(
    NAME, "microsoft/CameraTraps, api/batch_processing, states of 2020-02 (v2) and 2021-11 (v4)", build
)
