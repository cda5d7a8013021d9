"""Whatever arrives, the answer is one of the documented ones and never a fault of ours."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.unit.dialects.test_animaldetect import jpeg

DOCUMENTED = {200, 400, 413, 415, 503}
PICTURE = jpeg()

content_types = st.sampled_from(
    [
        "image/jpeg",
        "application/json",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "multipart/form-data; boundary=" + "y" * 300,
        "application/x-www-form-urlencoded",
        "text/html; charset=\\",
        "",
    ]
)
pieces = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"--x\r\n",
            b"--x--\r\n",
            b"\r\n\r\n",
            b'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\n',
            b'Content-Disposition: form-data; name="threshold"\r\n',
            b"Content-Type: image/jpeg\r\n",
            b'{"image": "',
            b'"}',
            PICTURE,
            PICTURE[:500],
        ]
    ),
)


@given(content_types, st.lists(pieces, max_size=8))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_makes_the_server_fail(client: TestClient, content_type: str, parts: list[bytes]) -> None:
    answer = client.post("/v1/detect", content=b"".join(parts), headers={"Content-Type": content_type})

    assert answer.status_code in DOCUMENTED, answer.text
    if answer.status_code != 200:
        assert answer.json()["code"]


@given(st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_parameter_makes_the_server_fail(client: TestClient, name: str, value: str) -> None:
    answer = client.post(
        "/v1/detect",
        params={name: value, "render": value[:5]},
        content=PICTURE,
        headers={"Content-Type": "image/jpeg"},
    )

    assert answer.status_code in DOCUMENTED, answer.text


@pytest.mark.parametrize(
    "disposition",
    [
        'form-data; name="image"',
        'form-data; name=image; filename="../../etc/passwd"',
        "form-data; name=\"image\"; filename*=utf-8''%e2%82%ac.jpg",
        'form-data; filename="a.jpg"',
        'attachment; name="image"',
    ],
)
def test_odd_part_headers_are_answered(client: TestClient, disposition: str) -> None:
    body = b"--x\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + PICTURE + b"\r\n--x--\r\n"

    answer = client.post(
        "/v1/detect", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )

    assert answer.status_code in {200, 400}, answer.text
