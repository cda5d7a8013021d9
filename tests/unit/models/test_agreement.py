"""The gate between a model and its faster variant."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from okapia.domain.taxonomy import Taxon
from okapia.domain.types import BBox, Category, Classification, Detection
from okapia.models.agreement import Agreement, Gate, compare_boxes, compare_crops
from okapia.models.taxa import class_taxa

LABELS = ("red fox", "brown bear")
FOX, BEAR = (class_taxa(LABELS).by_class[index] for index in range(2))
LENIENT = Gate(least_items=0)


def box(x_min: float, confidence: float, *, width: float = 0.2, label: str = "animal") -> Detection:
    return Detection(BBox(x_min, 0.1, width, 0.2), Category.ANIMAL, confidence, label)


def named(taxon: Taxon, score: float) -> tuple[Classification, ...]:
    return (Classification(taxon, score),)


def herd(n_boxes: int, *, confidence: float = 0.8) -> list[tuple[Detection, ...]]:
    """One box a picture."""
    return [(box(0.1, confidence),) for _ in range(n_boxes)]


def agreed(n_items: int = 40) -> Agreement:
    return compare_boxes(herd(n_items), herd(n_items))


def test_a_network_agrees_with_itself() -> None:
    answers = [(box(0.1, 0.9), box(0.5, 0.3)), (), (box(0.2, 0.05),)]

    agreement = compare_boxes(answers, answers)

    assert agreement == Agreement("boxes", 3, 2, 2, 2, 2, 2, 1.0, 0.0, 0.0)
    assert agreement.passes(LENIENT)


def test_two_networks_that_see_nothing_agree() -> None:
    agreement = compare_boxes([(), ()], [(), ()])

    assert (agreement.reference, agreement.mean_iou, agreement.mean_change) == (0, None, 0.0)
    assert agreement.passes(LENIENT)


def test_overlap_and_confidence_are_measured_over_pairs() -> None:
    # Two boxes of 0.2 in width, moved by 0.05: 0.15 shared of 0.25.
    agreement = compare_boxes([(box(0.1, 0.9), box(0.5, 0.5))], [(box(0.15, 0.8), box(0.5, 0.52))])

    assert agreement.matched == 2
    assert agreement.mean_iou == pytest.approx((0.15 / 0.25 + 1) / 2)
    assert agreement.mean_change == pytest.approx(0.06)
    assert agreement.largest_change == pytest.approx(0.1)


def test_a_box_that_moved_too_far_is_lost_and_invented() -> None:
    agreement = compare_boxes([(box(0.1, 0.9),)], [(box(0.2, 0.9),)])

    assert (agreement.matched, agreement.found, agreement.confirmed) == (0, 0, 0)
    assert agreement.shortfalls(LENIENT) == ("1 of 1 boxes are lost", "1 of 1 boxes are invented")


def test_a_box_of_another_label_is_another_box() -> None:
    agreement = compare_boxes([(box(0.1, 0.9, label="dog"),)], [(box(0.1, 0.9, label="cat"),)])

    assert (agreement.found, agreement.confirmed) == (0, 0)


def test_each_box_has_one_partner_the_best_overlap_first() -> None:
    reference = [(box(0.1, 0.9), box(0.12, 0.6))]
    candidate = [(box(0.12, 0.6),)]

    agreement = compare_boxes(reference, candidate)

    assert (agreement.reference, agreement.candidate, agreement.matched) == (2, 1, 1)
    assert agreement.mean_iou == pytest.approx(1.0)
    assert agreement.mean_change == 0.0


@pytest.mark.parametrize(
    ("reference", "candidate", "found", "confirmed"),
    [(0.21, 0.19, 1, 0), (0.19, 0.21, 0, 1), (0.21, 0.09, 0, 0), (0.19, 0.19, 0, 0)],
    ids=["falls below the line", "rises above it", "falls to nothing", "was never counted"],
)
def test_a_box_next_to_the_line_is_not_lost_but_changed(
    reference: float, candidate: float, found: int, confirmed: int
) -> None:
    agreement = compare_boxes(herd(1, confidence=reference), herd(1, confidence=candidate))

    assert agreement.matched == 0
    assert (agreement.found, agreement.confirmed) == (found, confirmed)
    assert agreement.largest_change == pytest.approx(0.02 * (found + confirmed))


def test_crops_agree_on_their_best_taxon() -> None:
    reference = [named(FOX, 0.9), named(FOX, 0.8), named(BEAR, 0.3), ()]
    candidate = [named(FOX, 0.85), named(BEAR, 0.8), named(FOX, 0.3), named(BEAR, 0.2)]

    agreement = compare_crops(reference, candidate)

    assert (agreement.inputs, agreement.reference, agreement.candidate) == (4, 2, 2)
    assert (agreement.found, agreement.confirmed, agreement.mean_iou) == (1, 1, None)
    assert agreement.mean_change == pytest.approx(0.05)
    assert agreement.shortfalls(Gate(least_items=2, largest_mean_change=0.1)) == (
        "1 of 2 crops are lost",
        "1 of 2 crops are invented",
    )


@pytest.mark.parametrize("compare", [compare_boxes, compare_crops])
def test_answers_to_different_pictures_are_refused(
    compare: Callable[[list[tuple[()]], list[tuple[()]]], Agreement],
) -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        compare([()], [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reference": 19, "found": 19}, "19 boxes in the original's answers are too few"),
        ({"found": 38}, "2 of 40 boxes are lost"),
        ({"confirmed": 38}, "2 of 40 boxes are invented"),
        ({"mean_iou": 0.94}, "mean IoU 0.940, expected 0.95"),
        ({"mean_change": 0.03}, "mean change of confidence 0.030, at most 0.02"),
        ({"largest_change": 0.3}, "one confidence changed by 0.300, at most 0.2"),
    ],
    ids=["few", "lost", "invented", "moved", "unsure", "one outlier"],
)
def test_every_bound_of_the_gate_refuses_in_words(change: dict[str, float], words: str) -> None:
    agreement = replace(agreed(), **change)  # type: ignore[arg-type] # the fields' names are data here

    (shortfall,) = agreement.shortfalls(Gate())

    assert words in shortfall
    assert not agreement.passes(Gate())


def test_one_lost_box_of_forty_is_let_through() -> None:
    agreement = compare_boxes(herd(40), [*herd(39), ()])

    assert agreement.found == 39
    assert agreement.passes(Gate())


def test_the_default_gate_refuses_what_plain_quantisation_did_and_takes_what_bf16_did() -> None:
    # The figures of `Gate`'s docstring; no box next to the line.
    plain = Agreement("boxes", 30, 34, 26, 25, 25, 25, 0.83, 0.064, 0.20)
    bf16 = Agreement("boxes", 30, 34, 34, 34, 34, 34, 0.991, 0.004, 0.024)

    assert not plain.passes(Gate())
    assert bf16.passes(Gate())


def test_an_agreement_reads_as_a_sentence() -> None:
    assert str(agreed(2)) == (
        "boxes 2 / 2 / 2 (original / variant / both), found again 2, confirmed 2, mean IoU 1.000, "
        "change of confidence 0.000 on average, 0.000 at most"
    )
