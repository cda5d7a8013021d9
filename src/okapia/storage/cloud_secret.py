"""What opens a place in a cloud when the server's own identity does not."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs

from okapia.domain.errors import InvalidRequest
from okapia.storage.cloud_address import Cloud

_FORMS = {
    Cloud.AZURE: "a SAS token (`sv=...&sig=...`) or the account's key",
    Cloud.S3: "ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]",
    Cloud.GCS: "the JSON of a service account's key",
}


@dataclass(frozen=True, slots=True)
class SasToken:
    """Azure's shared access signature."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccountKey:
    """Azure's key to everything in a storage account."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """Amazon's pair, with the token that a role's has besides."""

    id: str = field(repr=False)
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Google's key, a JSON document."""

    text: str = field(repr=False)


CloudSecret = SasToken | AccountKey | AccessKey | ServiceAccount


def parse_secret(cloud: Cloud, text: str) -> CloudSecret:
    """Read a secret as somebody gives it.

    Raises:
        InvalidRequest: it has none of the cloud's forms; the message repeats nothing of it.
    """
    text = text.strip().removeprefix("?")
    match cloud:
        case Cloud.AZURE if "sig" in parse_qs(text):
            return SasToken(text)
        case Cloud.AZURE if text and "=" not in text.rstrip("="):
            return AccountKey(text)
        case Cloud.S3 if len(parts := text.split(":", 2)) >= 2 and all(parts):
            return AccessKey(*parts)
        case Cloud.GCS if text.startswith("{"):
            return ServiceAccount(text)
    raise InvalidRequest(f"expected {_FORMS[cloud]} as the secret of {cloud}://", param="secret")
