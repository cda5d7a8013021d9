"""The pictures of a shard come out of their row as they went in."""

from hypothesis import given
from hypothesis import strategies as st

from okapia.batches.items import Item, pack, unpack

names = st.binary(min_size=1).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
items = st.builds(
    Item,
    names,
    meta=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    n_bytes=st.none() | st.integers(0, 2**40),
    problem=st.none() | st.just("a broken link"),
    version=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    sealed=st.none() | st.just("c2VhbGVk"),
)


@given(st.lists(items))
def test_items_come_back_as_they_were(listed: list[Item]) -> None:
    assert unpack(pack(listed)) == listed


def test_a_shard_of_ordinary_names_takes_a_few_kilobytes() -> None:
    listed = [
        Item(f"2026/camera-07/RCNX{number:04d}.JPG", n_bytes=2_400_000 + number) for number in range(256)
    ]

    assert len(pack(listed)) < 3_000
