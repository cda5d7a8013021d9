"""One run at a time on a results file; a lock that nobody holds any more falls."""

import json
import os
import socket
import sys
from pathlib import Path

import psutil
import pytest

from okapia.cli.run_lock import OutputInUse, OutputLock
from okapia.domain.errors import OutputNotWritable


def said(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / ".r.json.run").read_text())
    return found


def test_a_second_lock_is_refused_until_the_first_is_let_go(tmp_path: Path) -> None:
    with OutputLock(tmp_path / "r.json") as first:
        with pytest.raises(OutputInUse, match=f"process {os.getpid()}"), OutputLock(tmp_path / "r.json"):
            pass
        run_id = first.run_id

    with OutputLock(tmp_path / "r.json") as later:
        assert later.run_id == run_id


def test_the_file_says_who_is_at_work_and_afterwards_only_which_run_it_is(tmp_path: Path) -> None:
    with OutputLock(tmp_path / "r.json") as lock:
        during = said(tmp_path)

    assert (during["pid"], during["host"]) == (os.getpid(), socket.gethostname())
    assert said(tmp_path) == {"run": lock.run_id}


def test_results_in_different_files_are_different_runs(tmp_path: Path) -> None:
    with OutputLock(tmp_path / "r.json") as one, OutputLock(tmp_path / "s.json") as other:
        assert one.run_id != other.run_id


def test_a_linked_results_file_is_the_file_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "r.json")

    with (
        OutputLock(tmp_path / "r.json"),
        pytest.raises(OutputInUse),
        OutputLock(tmp_path / "link.json"),
    ):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": "../../etc"}', '{"run": 7}'])
def test_a_file_that_was_cut_off_begins_a_new_run(tmp_path: Path, content: str) -> None:
    (tmp_path / ".r.json.run").write_text(content)

    with OutputLock(tmp_path / "r.json") as lock:
        assert len(lock.run_id) == 32


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritable), OutputLock(tmp_path / "none" / "r.json"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has locks on every drive")
class TestWithoutLocksOfTheSystem:
    """A network drive where `flock` fails: then the process's number tells."""

    @pytest.fixture(autouse=True)
    def _no_locks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise OSError(38, "Function not implemented")

        monkeypatch.setattr("okapia.cli.run_lock.fcntl.flock", refuse)

    def test_a_living_process_keeps_it(self, tmp_path: Path) -> None:
        with OutputLock(tmp_path / "r.json"), pytest.raises(OutputInUse), OutputLock(tmp_path / "r.json"):
            pass

    @pytest.mark.parametrize("started_before_s", [0.0, 100.0])
    def test_a_dead_one_does_not(self, tmp_path: Path, started_before_s: float) -> None:
        is_same = started_before_s == 0.0
        started_at = psutil.Process().create_time() - started_before_s
        pid = 2**22 + 1 if is_same else os.getpid()  # no process, or another one of that number
        old = {"run": "a" * 32, "host": socket.gethostname(), "pid": pid, "started_at": started_at}
        (tmp_path / ".r.json.run").write_text(json.dumps(old))

        with OutputLock(tmp_path / "r.json") as lock:
            assert lock.run_id == "a" * 32

    def test_one_of_another_host_is_believed(self, tmp_path: Path) -> None:
        other = {"run": "a" * 32, "host": "elsewhere", "pid": 1, "started_at": 0.0}
        (tmp_path / ".r.json.run").write_text(json.dumps(other))

        with pytest.raises(OutputInUse), OutputLock(tmp_path / "r.json"):
            pass
