"""Whether a webhook is from the server that knows its secret: Standard Webhooks 1.0, signatures `v1`."""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from okapia.client.errors import InvalidSignature
from okapia.client.reading import Answer, read_json

_SECONDS = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Answer):
    """Something that the server tells of.

    Attributes:
        type: `detection.created`, `job.succeeded` and so on.
        timestamp: when it happened.
    """

    type: str
    timestamp: datetime
    data: Mapping[str, object]


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    *,
    tolerance_s: float = 300,
    clock: Callable[[], float] = time.time,
) -> Event:
    """Give the event of a webhook that was signed with `secret`.

    The same event may come again, with the same header `webhook-id`.

    Args:
        body: as it arrived; JSON that was read and written again has another signature.
        headers: names in any case.
        secret: `whsec_…`, as it was shown when the webhook was made or its secret rotated.
        tolerance_s: how old, or how far ahead, the webhook may be.
        clock: the time now, in seconds since 1970.

    Raises:
        InvalidSignature: it was not; the message says what is wrong.
        UnexpectedAnswer: it was, and is no event.
        ValueError: the secret is none.
    """
    given = {name.lower(): value for name, value in headers.items()}
    event_id, sent_at = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not event_id or not _SECONDS.fullmatch(sent_at):
        raise InvalidSignature("expected the headers webhook-id and webhook-timestamp")
    if abs(clock() - int(sent_at)) > tolerance_s:
        raise InvalidSignature(f"expected a webhook of the last {tolerance_s:.0f} s, got one of {sent_at}")
    digest = hmac.digest(
        _key(secret), f"{event_id}.{sent_at}.".encode(errors="replace") + body, hashlib.sha256
    )
    wanted = b"v1," + base64.b64encode(digest)
    signatures = given.get("webhook-signature", "").encode(errors="replace").split()
    if not any(hmac.compare_digest(wanted, signature) for signature in signatures):
        raise InvalidSignature(f"none of {len(signatures)} signatures is of this secret and body")
    return read_json(Event, body, where="event")


def _key(secret: str) -> bytes:
    encoded = secret.strip().removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError("expected the secret of a webhook: whsec_ and base64")
    return key
