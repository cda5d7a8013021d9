"""Okapia's own contract for batches: any number of pictures under one request."""

from okapia.dialects.base import Dialect
from okapia.dialects.batches.routes import build

__all__ = ["dialect"]

dialect = Dialect("batches", "Okapia's own", build)
