"""Okapia's own contract for webhooks: where events go, what was sent, and sending it again.

Payloads and signatures follow the Standard Webhooks specification 1.0.
"""

from okapia.dialects.base import Dialect
from okapia.dialects.webhooks.payloads import document_webhooks
from okapia.dialects.webhooks.routes import build

__all__ = ["dialect", "document_webhooks"]

dialect = Dialect("webhooks", "Okapia's own", build)
