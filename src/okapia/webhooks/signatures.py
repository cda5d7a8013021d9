"""Secrets of endpoints, and the headers by which a receiver knows who sent a payload.

Standard Webhooks 1.0: `v1`, HMAC-SHA256 over id, time and body.
"""

import base64
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

_SECRET_BYTES = 32


def new_secret() -> str:
    """Make a secret: `whsec_` and base64 of random bytes, 24 to 64 by the specification."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def signed_headers(valid: Iterable[str], *, event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Give the three headers of a payload sent `at` a time, with a signature for each valid secret."""
    sent_at = at.astimezone(UTC)  # the library takes every time for UTC
    text = body.decode()
    signatures = [Webhook(secret).sign(event_id, sent_at, text) for secret in valid]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
