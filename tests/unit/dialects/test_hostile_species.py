"""Whatever SpeciesNet's, Atlas's and the species routes are sent, the answer is a documented one."""

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.unit.dialects.foxes import RED_FOX
from tests.unit.dialects.test_hostile_bodies import content_types, pieces

DOCUMENTED = {200, 400, 413, 415, 422, 503}

routes = st.sampled_from(
    ["/predict", "/predict?format=20261015", "/uploadfile/", "/analyze/", "/v1/ensemble", "/v1/geofence"]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        [RED_FOX.label, "KEN", "USA", "NY", "auto", "animal", "/data/a.jpg", "http://a/b.jpg", ";;;;;;"]
    ),
)
names = st.sampled_from(
    [
        "instances",
        "filepath",
        "image_b64",
        "images",
        "country",
        "admin1_region",
        "state",
        "latitude",
        "longitude",
        "labels",
        "scores",
        "category",
        "detection_score",
    ]
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=6)),
    max_leaves=12,
)


@given(routes, st.dictionaries(names, documents, max_size=6))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_document_makes_the_server_fail(
    client: TestClient, route: str, document: dict[str, object]
) -> None:
    try:
        content = orjson.dumps(document)
    except TypeError:  # an integer of more than 64 bits, or half a character
        content = b"{}"

    answer = client.post(route, content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code in DOCUMENTED, answer.text
    assert answer.json()


@given(routes, content_types, st.lists(pieces, max_size=8))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_makes_the_server_fail(
    client: TestClient, route: str, content_type: str, parts: list[bytes]
) -> None:
    body = b"".join(parts).replace(b'name="image"', b'name="file"')

    answer = client.post(route, content=body, headers={"Content-Type": content_type})

    assert answer.status_code in DOCUMENTED, answer.text
    assert answer.json()
