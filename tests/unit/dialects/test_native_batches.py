"""`/v1/batches`: from a batch's making to its files, over HTTP, on the real application."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from starlette.testclient import TestClient

from okapia.dialects.batches.answers import Status
from okapia.service.batches import State
from tests.unit.dialects.batch_steps import counts_of, create, ended, events_of, house_of, source_of
from tests.unit.dialects.job_steps import keys_of
from tests.unit.webhooks.receiver import receiving


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def client(home: Path) -> Iterator[TestClient]:
    with house_of(home) as client:
        yield client


@pytest.fixture
def still_client(home: Path) -> Iterator[TestClient]:
    """A server that takes batches and does not work on them."""
    with house_of(home, batch_workers=0) as client:
        yield client


def test_a_folder_is_analysed_and_every_picture_counted(client: TestClient, home: Path) -> None:
    answer = create(client, source_of(home), name="night 7", options={"threshold": 0.5})
    made = answer.json()
    batch = ended(client, made["id"])

    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == made["status_url"] == f"http://localhost/v1/batches/{made['id']}"
    assert (made["name"], made["options"]["threshold"], made["warnings"]) == ("night 7", 0.5, [])
    assert batch["status"] == "completed", batch["message"]
    assert counts_of(batch) == {"images": 4, "ended": 4, "done": 3, "unsupported": 1}


def test_a_batch_says_what_was_asked(still_client: TestClient, home: Path) -> None:
    source = source_of(home, prefix="site 1/", suffixes=[".JPG"], first_n=3, sample_n=2, seed=7)
    made = create(
        still_client,
        source,
        model="wild",
        options={"country": "Sweden", "smooth": "herd", "tiles": 2, "frames": {"every": 0.5}},
        outputs={"formats": ["megadetector"], "keep_above": 0.1, "top_k": 3, "split": "folder"},
        priority=9,
        no_cache=True,
    ).json()

    assert made["source"]["place"] == str(home / "pictures")
    assert made["source"]["suffixes"] == [".jpg"]
    assert [made["source"][name] for name in ("prefix", "first_n", "sample_n", "seed")] == [
        "site 1/",
        3,
        2,
        7,
    ]
    assert made["model"] == {"detector": "one-fox", "classifier": "fox-namer", "tiles": 2}
    assert made["options"] == {
        "threshold": 0.2,
        "classify": True,
        "country": "SWE",
        "state": None,
        "smooth": "herd",
        "frames": {"every": 0.5, "unit": "seconds", "most": 1000},
    }
    assert made["outputs"] == {
        "formats": ["megadetector"],
        "keep_above": 0.1,
        "top_k": 3,
        "split": "folder",
        "address": None,
    }
    assert (made["priority"], made["uses_cache"], made["status"]) == (9, False, "listing")
    assert made["progress"]["images"] is None


def test_only_the_wanted_pictures_are_analysed(client: TestClient, home: Path) -> None:
    below = create(client, source_of(home, prefix="site 1/", first_n=2)).json()["id"]
    named = create(client, source_of(home, images=["a.jpg", "gone.jpg"])).json()["id"]

    assert counts_of(ended(client, below)) == {"images": 2, "ended": 2, "done": 1, "unsupported": 1}
    assert counts_of(ended(client, named)) == {"images": 2, "ended": 2, "done": 1, "missing": 1}


def test_video_files_count_where_they_are_asked_for(client: TestClient, home: Path) -> None:
    (home / "pictures" / "clip.mp4").write_bytes(b"no clip")

    without = create(client, source_of(home)).json()["id"]
    with_clips = create(client, source_of(home), options={"frames": {}}).json()["id"]

    assert ended(client, without)["progress"]["images"] == 4
    assert ended(client, with_clips)["progress"]["images"] == 5


def test_a_list_comes_beside_the_request_in_a_form(client: TestClient, home: Path) -> None:
    request = json.dumps({"source": source_of(home), "name": "listed"})
    answer = client.post(
        "/v1/batches",
        data={"request": request},
        files={"list": ("names.txt", b"a.jpg\r\nsite 1/c.jpg\r\n", "text/plain")},
    )

    assert answer.status_code == 202, answer.text
    batch = ended(client, answer.json()["id"])
    assert (batch["name"], counts_of(batch)) == ("listed", {"images": 2, "ended": 2, "done": 2})


def test_what_is_not_used_of_a_request_is_said(still_client: TestClient, home: Path) -> None:
    options = {"latitude": 56.0, "longitude": 10.0}
    made = create(still_client, source_of(home), options=options).json()

    assert [warning["code"] for warning in made["warnings"]] == ["coordinates_without_country"]


def test_failures_name_every_picture_without_an_answer(client: TestClient, home: Path) -> None:
    images = [["a.jpg", "camera 1"], ["site 1/broken.jpg", "camera 2"], ["gone.jpg", "camera 3"]]
    batch_id = create(client, source_of(home, images=images)).json()["id"]
    ended(client, batch_id)

    answer = client.get(f"/v1/batches/{batch_id}/failures")

    assert answer.headers["Content-Type"] == "application/jsonl"
    failures = [json.loads(line) for line in answer.text.splitlines()]
    assert [(one["file"], one["verdict"], one["code"], one["meta"]) for one in failures] == [
        ("site 1/broken.jpg", "unsupported", "unsupported_format", "camera 2"),
        ("gone.jpg", "missing", "missing", "camera 3"),
    ]


def test_files_are_fetched_without_a_key_by_urls_that_end(client: TestClient, home: Path) -> None:
    batch_id = create(client, source_of(home), name="foxes 7").json()["id"]
    batch = ended(client, batch_id)

    results = client.get(f"/v1/batches/{batch_id}/results").json()
    [file] = [file for file in results["files"] if file["format"] == "megadetector"]
    got = client.get(file["url"])

    assert {file["name"] for file in batch["files"]} == {file["name"] for file in results["files"]}
    assert got.status_code == 200, got.text
    assert "attachment" in got.headers["Content-Disposition"]
    assert len(got.content) == file["bytes"]
    assert [image["file"] for image in got.json()["images"]] == [
        "a.jpg",
        "site 1/b.jpg",
        "site 1/broken.jpg",
        "site 1/c.jpg",
    ]
    assert client.get(file["url"].replace("signature=", "signature=0")).status_code == 403
    assert client.get(file["url"].partition("?")[0]).json()["code"] == "signature_invalid"


def test_results_before_their_time_say_when_to_come_again(still_client: TestClient, home: Path) -> None:
    batch_id = create(still_client, source_of(home)).json()["id"]

    early = still_client.get(f"/v1/batches/{batch_id}/results")
    still_client.post(f"/v1/batches/{batch_id}/cancel")
    late = still_client.get(f"/v1/batches/{batch_id}/results")

    assert (early.status_code, early.json()["code"]) == (409, "job_not_finished")
    assert early.headers["Retry-After"]
    assert (late.status_code, late.json()["code"]) == (410, "expired")


def test_a_batch_is_counted_again_from_its_files(client: TestClient, home: Path) -> None:
    batch_id = create(client, source_of(home)).json()["id"]
    ended(client, batch_id)

    right = client.get(f"/v1/batches/{batch_id}/verify").json()
    for shard in (home / "blobs" / "batches" / batch_id).glob("*.parquet"):
        shard.write_bytes(b"something else")
    wrong = client.get(f"/v1/batches/{batch_id}/verify").json()
    failures = client.get(f"/v1/batches/{batch_id}/failures")

    assert (right["is_right"], right["images"], right["counts"]["done"]) == (True, 4, 3)
    assert (wrong["is_right"], wrong["images"]) == (False, 0)
    assert "SHA-256" in wrong["problems"][0]
    assert (failures.status_code, failures.json()["code"]) == (500, "shard_damaged")


def test_a_halted_batch_goes_on(still_client: TestClient, home: Path) -> None:
    batch_id = create(still_client, source_of(home)).json()["id"]

    def post(step: str) -> tuple[int, str]:
        answer = still_client.post(f"/v1/batches/{batch_id}/{step}")
        return answer.status_code, answer.json().get("status" if answer.is_success else "code")

    assert post("pause") == (200, "paused")
    assert post("pause") == (409, "wrong_state")
    assert post("resume") == (200, "listing")
    assert post("resume") == (409, "wrong_state")
    assert post("cancel") == (200, "canceled")
    assert post("cancel") == (200, "canceled")
    assert post("pause") == (409, "wrong_state")
    assert still_client.get(f"/v1/batches/{batch_id}").json()["completed_at"]


def test_batches_are_listed_in_pages_newest_first(still_client: TestClient, home: Path) -> None:
    ids = [create(still_client, source_of(home)).json()["id"] for _ in range(3)]

    first = still_client.get("/v1/batches", params={"limit": 2})
    second = still_client.get(first.links["next"]["url"])

    listed = [batch["id"] for page in (first, second) for batch in page.json()["batches"]]
    assert listed == ids[::-1]
    assert second.json()["next_cursor"] is None
    assert "next" not in second.links


def test_the_same_request_again_is_the_same_batch(still_client: TestClient, home: Path) -> None:
    headers = {"Idempotency-Key": "one"}
    asked = {"source": source_of(home)}

    first, again = (still_client.post("/v1/batches", json=asked, headers=headers) for _ in range(2))
    other = still_client.post("/v1/batches", json=asked | {"priority": 1}, headers=headers)

    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert first.json() == again.json()
    assert len(still_client.get("/v1/batches").json()["batches"]) == 1


def test_somebody_elses_batch_is_not_there(still_client: TestClient, home: Path) -> None:
    ada, bob = keys_of(home, "ada", "bob")
    made = still_client.post("/v1/batches", json={"source": source_of(home)}, headers=ada).json()
    url = f"/v1/batches/{made['id']}"

    looks = [
        still_client.get(url + step, headers=bob)
        for step in ("", "/events", "/results", "/failures", "/verify")
    ]
    steps = [still_client.post(f"{url}/{step}", headers=bob) for step in ("pause", "resume", "cancel")]

    assert {(answer.status_code, answer.json()["code"]) for answer in (*looks, *steps)} == {
        (404, "not_found")
    }
    assert still_client.get("/v1/batches", headers=bob).json()["batches"] == []
    assert still_client.get(url, headers=ada).json()["status"] == "listing"


def test_events_end_with_the_batch(client: TestClient, home: Path) -> None:
    batch_id = create(client, source_of(home)).json()["id"]

    events = events_of(client, batch_id)
    after = events_of(client, batch_id)

    kinds = [kind for kind, _ in events]
    assert kinds == ["progress"] * (len(events) - 1) + ["end"]
    assert events[-1][1] == client.get(f"/v1/batches/{batch_id}").json()
    assert after == events[-1:]


def test_every_state_is_a_status() -> None:
    assert get_args(Status) == tuple(state.value for state in State)


def test_urls_are_of_the_public_address(home: Path) -> None:
    [ada] = keys_of(home, "ada")  # without an admin, no server that others reach starts
    public = "https://api.example.org/okapia"
    with house_of(home, public_url=public) as client:
        made = client.post("/v1/batches", json={"source": source_of(home)}, headers=ada).json()
        path = made["status_url"].removeprefix(public)
        batch = ended(client, made["id"], headers=ada)
        results = client.get(f"{path}/results", headers=ada).json()
        statuses = {client.get(file["url"].removeprefix(public)).status_code for file in results["files"]}

    assert batch["status"] == "completed"
    assert made["status_url"] == f"{public}/v1/batches/{made['id']}"
    assert statuses == {200}


def test_one_endpoint_is_told_how_a_batch_ended_and_the_others_are_not(home: Path) -> None:
    with receiving() as named, receiving() as other, house_of(home, private_webhooks=True) as client:
        ids = [
            client.post("/v1/webhooks", json={"url": one.url, "events": [event]}).json()["id"]
            for one, event in ((named, "job.failed"), (other, "batch.completed"))
        ]

        made = create(client, source_of(home), webhook=ids[0]).json()
        ended(client, made["id"])
        told = [client.get(f"/v1/webhooks/{one}/deliveries").json()["deliveries"] for one in ids]

    assert made["webhook"] == ids[0]
    assert [[delivery["type"] for delivery in one] for one in told] == [["batch.completed"], []]


def test_an_endpoint_that_is_not_ones_own_is_refused(still_client: TestClient, home: Path) -> None:
    refused = create(still_client, source_of(home), webhook="wh_nobody")

    assert refused.status_code == 404
    assert still_client.get("/v1/batches").json()["batches"] == []
