"""Where in a cloud blobs lie, as one line of settings says it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from okapia.domain.errors import InvalidSettings
from okapia.storage.blob_rules import is_key

_FORMS = "s3://BUCKET[/PREFIX], az://ACCOUNT/CONTAINER[/PREFIX] or gs://BUCKET[/PREFIX]"


class Cloud(StrEnum):
    """The clouds, by the schemes of their addresses."""

    S3 = "s3"
    AZURE = "az"
    GCS = "gs"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudAddress:
    """A place in a cloud, without credentials.

    Attributes:
        account: Azure's; empty elsewhere.
        container: Azure's word; the others say bucket.
        prefix: of whole segments before every key; empty for none.
        endpoint: URL of a server that speaks the cloud's protocol (MinIO, Ceph, Azurite); empty for the
            cloud's own.
    """

    cloud: Cloud
    account: str
    container: str
    prefix: str
    endpoint: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `s3://bucket/prefix?endpoint=https://minio.example`.

        Raises:
            InvalidSettings: it has another form, or holds more: a password, a SAS token. The message
                repeats nothing of it, for what is too much may be a secret.
        """
        try:
            url = urlsplit(text)
            cloud = Cloud(url.scheme)
        except ValueError:
            raise InvalidSettings(f"expected the address of the blobs as {_FORMS}") from None
        place = (url.netloc + url.path).removesuffix("/")
        account, _, rest = place.partition("/") if cloud is Cloud.AZURE else ("", "", place)
        if not is_key(place) or not rest or url.fragment:
            raise InvalidSettings(f"expected the address of the blobs as {_FORMS}, without credentials")
        container, _, prefix = rest.partition("/")
        endpoint = _endpoint(url.query)
        return cls(cloud=cloud, account=account, container=container, prefix=prefix, endpoint=endpoint)


def _endpoint(query: str) -> str:
    given = parse_qsl(query, keep_blank_values=True)
    if not given:
        return ""
    if [name for name, _ in given] != ["endpoint"]:
        raise InvalidSettings(
            "expected nothing but one `endpoint=` behind the `?` of the blobs' address; credentials belong "
            "into the environment"
        )
    endpoint = given[0][1]
    if not _is_plain(endpoint):
        raise InvalidSettings("expected the blobs' endpoint as http(s)://HOST[:PORT][/PATH]")
    return endpoint


def _is_plain(text: str) -> bool:
    """Tell a web address that holds no credentials."""
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    extras = url.username or url.password or url.query or url.fragment
    return url.scheme in {"http", "https"} and bool(url.hostname) and not extras
