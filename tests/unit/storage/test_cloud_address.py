"""Reading where blobs lie."""

import traceback

import pytest

from okapia.domain.errors import InvalidSettings
from okapia.storage.cloud_address import Cloud, CloudAddress


@pytest.mark.parametrize(
    ("text", "cloud", "account", "container", "prefix"),
    [
        ("s3://pictures", Cloud.S3, "", "pictures", ""),
        ("s3://pictures/", Cloud.S3, "", "pictures", ""),
        ("S3://pictures/okapia/jobs/", Cloud.S3, "", "pictures", "okapia/jobs"),
        ("az://mara/pictures", Cloud.AZURE, "mara", "pictures", ""),
        ("az://mara/pictures/okapia/jobs", Cloud.AZURE, "mara", "pictures", "okapia/jobs"),
        ("gs://pictures_2/okapia", Cloud.GCS, "", "pictures_2", "okapia"),
    ],
)
def test_an_address_names_account_container_and_prefix(
    text: str, cloud: Cloud, account: str, container: str, prefix: str
) -> None:
    assert CloudAddress.parse(text) == CloudAddress(
        cloud=cloud, account=account, container=container, prefix=prefix, endpoint=""
    )


def test_another_server_is_named_behind_the_question_mark() -> None:
    address = CloudAddress.parse("s3://pictures/okapia?endpoint=http://10.0.0.7:9000/minio")

    assert address.endpoint == "http://10.0.0.7:9000/minio"
    assert address.prefix == "okapia"


@pytest.mark.parametrize(
    "text",
    [
        "SECRET",
        "https://mara.blob.core.windows.net/pictures?sv=1&sig=SECRET",
        "s3://",
        "s3:///SECRET",
        "az://mara",
        "az://mara/",
        "s3://user:SECRET@pictures/x",
        "s3://pictures:9000/SECRET",
        "s3://pictures/../SECRET",
        "s3://pictures//SECRET",
        "s3://pictures/SECRET x",
        "s3://pictures/x#SECRET",
        "s3://[SECRET/x",
        "az://mara/pictures?sv=1&sig=SECRET",
        "az://mara/pictures?endpoint=http://h&sig=SECRET",
        "az://mara/pictures?endpoint=http://h&endpoint=http://SECRET",
        "s3://pictures?endpoint=",
        "s3://pictures?endpoint=ftp://SECRET",
        "s3://pictures?endpoint=http://user:SECRET@host",
        "s3://pictures?endpoint=http://host?SECRET",
        "s3://pictures?endpoint=http://[SECRET",
    ],
)
def test_another_form_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(InvalidSettings, match="expected") as caught:
        CloudAddress.parse(text)

    assert "SECRET" not in "".join(traceback.format_exception(caught.value))
