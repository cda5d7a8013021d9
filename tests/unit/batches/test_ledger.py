"""Every shard counts once, whoever does it and however often."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from okapia.batches.batch import Counts, Kind, Lease, LeaseLost, ShardFile, State
from okapia.batches.items import unpack
from okapia.batches.ledger import LEASE
from tests.unit.batches.floor import Floor, foxes, new_batch

A_MOMENT = timedelta(seconds=1)
DAY = timedelta(days=1)


def test_a_batch_is_listed_worked_off_and_merged(floor: Floor) -> None:
    batch = floor.listed([3, 2])

    first, second = floor.claimed(Kind.SHARD), floor.claimed(Kind.SHARD)
    assert [unpack(lease.items) for lease in (first, second)] == [foxes(3), foxes(2)]
    assert floor.commit(first).state is State.RUNNING
    assert floor.commit(second, Counts(done=1, missing=1)).state is State.MERGING
    ended = floor.merge()

    assert (ended.state, ended.images) == (State.COMPLETED, 5)
    assert floor.claim() is None
    with floor.database.read() as connection:
        progress = floor.ledger.progress(connection, batch.id)
        files = floor.ledger.files(connection, batch.id)
    assert progress.counts == Counts(done=4, missing=1)
    assert (progress.shards, progress.shards_done) == (2, 2)
    assert [(file.name, counts.total) for file, counts in files] == [
        ("0000000-1.parquet", 3),
        ("0000001-1.parquet", 2),
    ]


def test_a_batch_without_pictures_is_merged_at_once(floor: Floor) -> None:
    batch = floor.listed([])

    assert (batch.state, batch.images) == (State.MERGING, 0)
    assert floor.merge().state is State.COMPLETED


def test_nobody_is_given_a_shard_before_the_listing_ends(floor: Floor) -> None:
    floor.submit()
    lease = floor.claimed(Kind.LIST)
    with floor.database.write() as connection:
        floor.ledger.add_shards(connection, lease, [foxes(3)], first=0)

    assert floor.claim() is None


def test_a_listing_that_broke_begins_anew(floor: Floor) -> None:
    batch = floor.submit()
    broken = floor.claimed(Kind.LIST)
    with floor.database.write() as connection:
        floor.ledger.add_shards(connection, broken, [foxes(3), foxes(3)], first=0)
    floor.watch.pass_by(LEASE)

    again = floor.claimed(Kind.LIST)
    with floor.database.write() as connection:
        floor.ledger.add_shards(connection, again, [foxes(2)], first=0)
        floor.ledger.add_shards(connection, again, [foxes(1)], first=1)
        floor.ledger.commit_listing(connection, again)

    assert floor.now(batch).images == 3
    with floor.database.write() as connection, pytest.raises(LeaseLost):
        floor.ledger.add_shards(connection, broken, [foxes(9)], first=2)


def test_a_lease_that_ran_out_is_given_away_and_its_late_commit_refused(floor: Floor) -> None:
    floor.listed([3])
    frozen = floor.claimed(Kind.SHARD)
    floor.watch.pass_by(LEASE)

    other = floor.beside("run_there").claimed(Kind.SHARD)
    with pytest.raises(LeaseLost):
        floor.commit(frozen)
    floor.commit(other)

    assert (frozen.number, frozen.token, other.number, other.token) == (0, 1, 0, 2)
    assert frozen.file_stem != other.file_stem
    with pytest.raises(LeaseLost):
        floor.commit(other)


def test_a_lease_that_is_renewed_is_kept(floor: Floor) -> None:
    floor.listed([3])
    lease = floor.claimed(Kind.SHARD)

    for _ in range(3):
        floor.watch.pass_by(LEASE - A_MOMENT)
        with floor.database.write() as connection:
            assert floor.ledger.renew(connection, lease)

    assert floor.claim() is None
    assert floor.commit(lease).state is State.MERGING


def test_a_lease_that_was_lost_cannot_be_renewed(floor: Floor) -> None:
    floor.listed([3])
    lease = floor.claimed(Kind.SHARD)
    floor.watch.pass_by(LEASE)
    floor.beside("run_there").claimed(Kind.SHARD)

    with floor.database.write() as connection:
        assert not floor.ledger.renew(connection, lease)


def test_the_clock_going_back_takes_nothing_from_anybody(floor: Floor) -> None:
    floor.listed([3])
    lease = floor.claimed(Kind.SHARD)

    floor.watch.pass_by(-timedelta(days=1))

    assert floor.claim() is None
    assert floor.commit(lease).state is State.MERGING


def test_what_is_given_back_is_due_after_its_pause(floor: Floor) -> None:
    floor.listed([3])
    lease = floor.claimed(Kind.SHARD)
    with floor.database.write() as connection:
        floor.ledger.give_back(connection, lease, pause=timedelta(seconds=30))

    assert floor.claim() is None
    floor.watch.pass_by(timedelta(seconds=30))
    again = floor.claimed(Kind.SHARD)

    assert (again.attempts, again.token) == (2, 2)


def test_what_a_dead_process_had_is_free_at_once(floor: Floor) -> None:
    floor.listed([3])
    lost = floor.beside("run_dead").claimed(Kind.SHARD)
    with floor.database.write() as connection:
        assert floor.ledger.release(connection, "run_dead") == 1

    again = floor.claimed(Kind.SHARD)

    assert (again.number, again.token) == (lost.number, lost.token + 1)


def test_counts_that_do_not_add_up_are_refused(floor: Floor) -> None:
    floor.listed([3])
    lease = floor.claimed(Kind.SHARD)

    with pytest.raises(ValueError, match="expected counts of 3 pictures, got 2"):
        floor.commit(lease, Counts(done=1, failed=1))


def test_urgent_batches_go_first_then_older_ones(floor: Floor) -> None:
    late = floor.listed([1], new_batch(priority=2))
    urgent = floor.listed([1], new_batch(priority=0))

    assert floor.claimed(Kind.SHARD).batch_id == urgent.id
    assert floor.claimed(Kind.SHARD).batch_id == late.id


def test_a_paused_batch_finishes_what_is_under_way_and_begins_nothing(floor: Floor) -> None:
    batch = floor.listed([1, 1])
    lease = floor.claimed(Kind.SHARD)
    with floor.database.write() as connection:
        assert floor.store.halt(connection, batch.id, State.PAUSED)

    assert floor.claim() is None
    assert floor.commit(lease).state is State.PAUSED

    with floor.database.write() as connection:
        resumed = floor.store.resume(connection, batch.id)
    assert resumed is not None
    assert resumed.state is State.RUNNING
    assert floor.claimed(Kind.SHARD).number == 1


def test_a_batch_that_ended_its_last_shard_in_a_pause_is_merged_when_it_goes_on(floor: Floor) -> None:
    batch = floor.listed([1])
    lease = floor.claimed(Kind.SHARD)
    with floor.database.write() as connection:
        floor.store.halt(connection, batch.id, State.PAUSED)
    floor.commit(lease)

    with floor.database.write() as connection:
        floor.store.resume(connection, batch.id)

    assert floor.merge().state is State.COMPLETED


def test_new_credentials_replace_the_old_and_end_with_the_batch(floor: Floor) -> None:
    batch = floor.submit(new_batch(sealed_secret=b"old"))
    with floor.database.write() as connection:
        floor.store.halt(connection, batch.id, State.NEEDS_CREDENTIALS, message="the SAS has expired")
        resumed = floor.store.resume(connection, batch.id, sealed_secret=b"new")
    assert resumed is not None
    assert (resumed.state, resumed.sealed_secret, resumed.message) == (State.LISTING, b"new", "")

    with floor.database.write() as connection:
        ended = floor.store.end(connection, batch.id, State.CANCELED)

    assert ended is not None
    assert ended.sealed_secret is None


def test_a_cancellation_during_the_merge_stands(floor: Floor) -> None:
    batch = floor.listed([])
    lease = floor.claimed(Kind.MERGE)
    with floor.database.write() as connection:
        floor.store.end(connection, batch.id, State.CANCELED)

    with floor.database.write() as connection:
        assert not floor.ledger.renew(connection, lease)
    with pytest.raises(LeaseLost), floor.database.write() as connection:
        floor.ledger.commit_merge(connection, lease, [])
    assert floor.now(batch).state is State.CANCELED


@pytest.mark.parametrize("to", [State.PAUSED, State.NEEDS_CREDENTIALS, State.CANCELED])
def test_what_has_ended_stays_ended(floor: Floor, to: State) -> None:
    batch = floor.listed([])
    floor.merge()

    with floor.database.write() as connection:
        assert floor.store.halt(connection, batch.id, to) is None
        assert floor.store.resume(connection, batch.id) is None
        assert floor.store.end(connection, batch.id, State.CANCELED) is None
    assert floor.now(batch).state is State.COMPLETED


def test_four_processes_share_the_shards_without_doing_one_twice(floor: Floor) -> None:
    batch = floor.listed([2] * 40)
    processes = [floor.beside(f"run_{number}") for number in range(4)]

    def work(process: Floor) -> list[int]:
        numbers = []
        while (lease := process.claim()) is not None and lease.kind is Kind.SHARD:
            process.commit(lease)
            numbers.append(lease.number)
        return numbers

    with ThreadPoolExecutor(4) as pool:
        done = Counter(number for numbers in pool.map(work, processes) for number in numbers)

    assert done == Counter(range(40))
    with floor.database.read() as connection:
        assert floor.ledger.progress(connection, batch.id).counts == Counts(done=80)
    assert floor.now(batch).state is State.MERGING


def test_of_two_who_commit_the_last_shards_at_once_one_begins_the_merge(floor: Floor) -> None:
    for _ in range(10):
        batch = floor.listed([1, 1])
        leases = [floor.claimed(Kind.SHARD), floor.claimed(Kind.SHARD)]
        with ThreadPoolExecutor(2) as pool:
            states = Counter(ended.state for ended in pool.map(floor.commit, leases))

        assert states == Counter([State.RUNNING, State.MERGING])
        assert floor.merge().id == batch.id


def test_a_commit_is_all_or_nothing(floor: Floor) -> None:
    batch = floor.listed([2])
    lease = floor.claimed(Kind.SHARD)

    def commit_then_break(lease: Lease) -> None:
        with floor.database.write() as connection:
            file = ShardFile("0000000-1.parquet", "0" * 64, 100)
            floor.ledger.commit_shard(connection, lease, file, Counts(done=2))
            raise KeyError("the power goes out")

    with pytest.raises(KeyError):
        commit_then_break(lease)

    with floor.database.read() as connection:
        assert floor.ledger.progress(connection, batch.id).counts == Counts()
    assert floor.commit(lease).state is State.MERGING


def test_a_clock_that_goes_back_holds_no_task_up(floor: Floor) -> None:
    batch = floor.listed([2, 3])
    first = floor.claimed(Kind.SHARD)

    floor.watch.pass_by(-30 * DAY)
    floor.commit(first)
    second = floor.claimed(Kind.SHARD)
    with floor.database.write() as connection:
        assert floor.ledger.renew(connection, second)
    floor.commit(second)
    floor.merge()

    assert floor.now(batch).state is State.COMPLETED


def test_a_clock_that_jumps_ahead_lets_another_have_the_task_and_counts_it_once(floor: Floor) -> None:
    batch = floor.listed([2])
    late = floor.claimed(Kind.SHARD)

    floor.watch.pass_by(30 * DAY)
    other = floor.beside("another process")
    other.commit(other.claimed(Kind.SHARD))

    with pytest.raises(LeaseLost):
        floor.commit(late)
    floor.merge()
    assert floor.now(batch).state is State.COMPLETED
