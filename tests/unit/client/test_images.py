"""Pictures in groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.client.images import MOST_BYTES, MOST_IMAGES, Picture, content_type_of, in_batches

sizes = st.lists(st.sampled_from([0, 1_000_000, 4_000_000, MOST_BYTES, MOST_BYTES + 1]), max_size=40)


@given(sizes)
def test_groups_keep_every_picture_in_order_and_within_the_limits(sizes: list[int]) -> None:
    pictures = [Picture(str(place), bytes(size)) for place, size in enumerate(sizes)]

    groups = list(in_batches(pictures))

    assert [picture for group in groups for picture in group] == pictures
    for group in groups:
        assert 1 <= len(group) <= MOST_IMAGES
        assert len(group) == 1 or sum(len(picture.data) for picture in group) <= MOST_BYTES


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.jpg", "image/jpeg"), ("B.PNG", "image/png"), ("image", "image/jpeg")],
)
def test_the_kind_of_a_picture_is_told_by_its_name(name: str, kind: str) -> None:
    assert content_type_of(name) == kind
