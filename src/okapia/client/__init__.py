"""A typed client of Okapia's HTTP API, and so of Animal Detect's.

It needs nothing of the rest of Okapia, and httpx only.
"""

from okapia.client.answers import (
    Annotation,
    CoarseDetection,
    DetectAnswer,
    DetectItem,
    FilterAnswer,
    FilterItem,
    SavedAnswer,
    ScannedText,
)
from okapia.client.batch_runs import BatchRun, Frames, Outputs, Source
from okapia.client.client import Okapia
from okapia.client.errors import (
    ApiError,
    AuthenticationError,
    BadImage,
    Conflict,
    CreditsSpent,
    ErrorAnswer,
    Expired,
    InvalidRequest,
    InvalidSignature,
    JobFailed,
    NoAnswer,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    RateLimited,
    ServerBusy,
    ServerError,
    UnexpectedAnswer,
    WaitedTooLong,
)
from okapia.client.jobs import Job
from okapia.client.options import Options
from okapia.client.reference import Country, Model, Species, Usage
from okapia.client.signatures import Event, verify_webhook

__all__ = [
    "Annotation",
    "ApiError",
    "AuthenticationError",
    "BadImage",
    "BatchRun",
    "CoarseDetection",
    "Conflict",
    "Country",
    "CreditsSpent",
    "DetectAnswer",
    "DetectItem",
    "ErrorAnswer",
    "Event",
    "Expired",
    "FilterAnswer",
    "FilterItem",
    "Frames",
    "InvalidRequest",
    "InvalidSignature",
    "Job",
    "JobFailed",
    "Model",
    "NoAnswer",
    "NotFound",
    "Okapia",
    "Options",
    "Outputs",
    "PayloadTooLarge",
    "PermissionDenied",
    "RateLimited",
    "SavedAnswer",
    "ScannedText",
    "ServerBusy",
    "ServerError",
    "Source",
    "Species",
    "UnexpectedAnswer",
    "Usage",
    "WaitedTooLong",
    "verify_webhook",
]
