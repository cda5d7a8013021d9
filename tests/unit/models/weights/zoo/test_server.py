"""Archives arrive whole, go on where they stopped, and are the record's."""

import errno
import hashlib
import sys
from pathlib import Path

import pytest

from okapia.domain.errors import PullFailed
from okapia.models.weights.zoo.patience import Patience
from okapia.models.weights.zoo.server import ZooServer
from tests.unit.models.weights.zoo.conftest import Visitor
from tests.unit.models.weights.zoo.folders import DETECTOR, zip_name
from tests.unit.models.weights.zoo.record_server import RECORD, Host

ARCHIVE = zip_name(DETECTOR)


def fetch(source: ZooServer, model_id: str = DETECTOR) -> Path:
    return source.fetch(source.find(model_id), arrived=lambda *_: None)


def test_a_finished_archive_is_not_fetched_twice(visitor: Visitor, host: Host) -> None:
    source = visitor.server(host)
    fetch(source)

    fetch(source)

    assert host.ranges_asked == [None]


def test_a_dropped_download_goes_on_where_it_stopped(visitor: Visitor, host: Host) -> None:
    host.cuts = [200, 300]

    whole = fetch(visitor.server(host))

    assert whole.read_bytes() == host.files[ARCHIVE]
    assert host.ranges_asked == [None, "bytes=200-", "bytes=500-"]
    assert visitor.slept == [1.0, 1.0]  # each brought new bytes: the patience begins anew


def test_a_server_without_ranges_is_asked_from_the_beginning(visitor: Visitor, host: Host) -> None:
    host.cuts, host.ranges = [200], False

    whole = fetch(visitor.server(host))

    assert whole.read_bytes() == host.files[ARCHIVE]
    assert host.ranges_asked == [None, "bytes=200-"]


def test_a_part_of_another_visit_is_continued(visitor: Visitor, host: Host) -> None:
    visitor.archives.mkdir(parents=True)
    (visitor.archives / f"{ARCHIVE}.part").write_bytes(host.files[ARCHIVE][:100])

    fetch(visitor.server(host))

    assert host.ranges_asked == ["bytes=100-"]
    assert visitor.files() == [f"archives/{ARCHIVE}"]


def test_a_part_that_is_complete_is_only_checked(visitor: Visitor, host: Host) -> None:
    visitor.archives.mkdir(parents=True)
    (visitor.archives / f"{ARCHIVE}.part").write_bytes(host.files[ARCHIVE])

    fetch(visitor.server(host))

    assert host.ranges_asked == []


def test_a_part_that_is_too_long_is_begun_anew(visitor: Visitor, host: Host) -> None:
    visitor.archives.mkdir(parents=True)
    (visitor.archives / f"{ARCHIVE}.part").write_bytes(host.files[ARCHIVE] + b"!")

    whole = fetch(visitor.server(host))

    assert whole.read_bytes() == host.files[ARCHIVE]
    assert host.ranges_asked[-1] is None


def test_a_line_that_only_drops_ends_the_patience_and_the_part_stays(visitor: Visitor, host: Host) -> None:
    host.cuts = [200, 0, 0, 0]

    with pytest.raises(PullFailed, match=r"tried 3 times.*what has arrived is kept"):
        fetch(visitor.server(host))

    assert visitor.files() == [f"archives/{ARCHIVE}.part"]
    assert (visitor.archives / f"{ARCHIVE}.part").stat().st_size == 200
    assert visitor.slept == [1.0, 3.0]


def test_a_wrong_md5_names_both_and_removes_the_part(visitor: Visitor, host: Host) -> None:
    host.md5[ARCHIVE] = "0" * 32
    actual = hashlib.md5(host.files[ARCHIVE], usedforsecurity=False).hexdigest()

    with pytest.raises(PullFailed, match=f"expected md5 {'0' * 32}, got {actual}"):
        fetch(visitor.server(host))

    assert visitor.files() == []


def test_a_record_that_gives_no_sizes_is_enough(visitor: Visitor, host: Host) -> None:
    host.sizes, host.cuts = False, [200]

    whole = fetch(visitor.server(host))

    assert whole.read_bytes() == host.files[ARCHIVE]


def test_a_record_with_sizes_makes_up_for_a_server_that_announces_none(visitor: Visitor, host: Host) -> None:
    host.lengths, host.cuts = False, [200]

    whole = fetch(visitor.server(host))

    assert whole.read_bytes() == host.files[ARCHIVE]
    assert host.ranges_asked == [None, "bytes=200-"]


def test_an_archive_of_unknown_size_is_refused(visitor: Visitor, host: Host) -> None:
    host.lengths = host.sizes = False

    with pytest.raises(PullFailed, match="neither the record nor the server says how large"):
        fetch(visitor.server(host))


def test_a_body_of_another_size_than_the_records_is_refused(visitor: Visitor, host: Host) -> None:
    source = visitor.server(host)
    archive = source.find(DETECTOR)
    size = len(host.files[ARCHIVE])
    host.files[ARCHIVE] = host.files[ARCHIVE][:-7]

    with pytest.raises(PullFailed, match=f"expected {size:,} bytes as the record says.*{size - 7:,}"):
        source.fetch(archive, arrived=lambda *_: None)


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("path", ["/api/records", "/records"])
def test_a_record_that_is_gone_is_said_with_where_to_look(
    visitor: Visitor, host: Host, status: int, path: str
) -> None:
    host.status = {path: status}

    with pytest.raises(PullFailed, match=rf"HTTP {status}.*set OKAPIA_ZOO_RECORD.*10\.5281/zenodo\.20348978"):
        fetch(visitor.server(host))

    assert visitor.slept == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_asked_a_few_times(visitor: Visitor, host: Host, status: int) -> None:
    host.status = {"/records": status}

    with pytest.raises(PullFailed, match=f"answered HTTP {status}, tried 3 times.*--from DIR"):
        fetch(visitor.server(host))

    assert host.ranges_asked == [None] * 3


def test_a_refusal_is_not_asked_again(visitor: Visitor, host: Host) -> None:
    host.status = {"/api": 403}

    with pytest.raises(PullFailed, match="answered HTTP 403"):
        visitor.server(host).find(DETECTOR)

    assert len(host.asked) == 1


def test_a_server_that_cannot_be_reached_is_a_failed_pull(visitor: Visitor, host: Host) -> None:
    host.url = "http://127.0.0.1:9"  # the discard port, where nobody listens

    with pytest.raises(PullFailed, match=f"record {RECORD}: .*tried 3 times"):
        visitor.server(host).find(DETECTOR)


@pytest.mark.parametrize("url", ["ftp://zoo.invalid", "zoo.invalid", "http://zoo.invalid:gate"])
def test_an_address_that_is_none_is_said_at_once(visitor: Visitor, host: Host, url: str) -> None:
    host.url = url

    with pytest.raises(PullFailed, match="OKAPIA_ZOO_URL"):
        visitor.server(host).find(DETECTOR)

    assert visitor.slept == []


@pytest.mark.parametrize(
    "listing", [b"<html>please sign in</html>", b'{"status": 200}', b'{"files": [{"key": 7}]}', b""]
)
def test_an_answer_that_is_no_record_is_said(
    visitor: Visitor, host: Host, listing: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "listing", lambda: listing)

    with pytest.raises(PullFailed, match="expected a list of files"):
        visitor.server(host).find(DETECTOR)


def test_a_record_without_md5_is_refused(visitor: Visitor, host: Host) -> None:
    host.md5[ARCHIVE] = "sha512"

    with pytest.raises(PullFailed, match="expected the checksum md5:"):
        visitor.server(host).find(DETECTOR)


def test_too_little_room_is_said_before_a_byte_is_written(visitor: Visitor, host: Host) -> None:
    with pytest.raises(PullFailed, match=f"{DETECTOR} needs 1.* free bytes.*there are 1,000;"):
        fetch(visitor.server(host, free_bytes=1000))

    assert visitor.files() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_is_said_and_the_download_can_go_on(visitor: Visitor, host: Host) -> None:
    visitor.archives.mkdir(parents=True)
    part = visitor.archives / f"{ARCHIVE}.part"
    part.symlink_to("/dev/full")

    with pytest.raises(PullFailed, match="No space left on device; make room") as caught:
        fetch(visitor.server(host))

    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC
    part.unlink()
    assert fetch(visitor.server(host)).read_bytes() == host.files[ARCHIVE]


def test_a_proxy_of_the_environment_is_used(
    visitor: Visitor, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", host.url)
    monkeypatch.setenv("http_proxy", host.url)
    source = ZooServer(
        visitor.archives, base_url="http://zoo.invalid", record=RECORD, patience=Patience(pauses_s=())
    )

    with pytest.raises(PullFailed, match="HTTP 404"):
        source.find(DETECTOR)

    assert host.asked == [(f"http://zoo.invalid/api/records/{RECORD}", None)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows names its proxies elsewhere too")
def test_a_proxy_that_cannot_be_used_is_said(
    visitor: Visitor, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "carrier-pigeon://loft")

    with pytest.raises(PullFailed, match="proxy that the environment names"):
        visitor.server(host).find(DETECTOR)
