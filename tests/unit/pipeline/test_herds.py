"""Broad labels of a herd take a precise taxon from the same picture, downwards only."""

from dataclasses import replace

import pytest
from hypothesis import given

from okapia.domain.taxonomy import ANIMAL, HUMAN, VEHICLE, Taxon
from okapia.domain.types import Category
from okapia.pipeline.herds import HerdOptions, smooth_herd
from okapia.pipeline.votes import Rule, Smoothed, Vote, is_below
from tests.unit.pipeline.beasts import (
    BLANK,
    CARNIVORE,
    DEER_FAMILY,
    MAMMAL,
    MOOSE,
    PHEASANT,
    RED_DEER,
    RED_FOX,
    UNKNOWN,
    group,
    groups,
)


def everywhere(_taxon: Taxon) -> bool:
    return True


def no_deer(taxon: Taxon) -> bool:
    return taxon.family != "cervidae"


def herd(votes: list[Vote]) -> list[Taxon]:
    return [answer.taxon for answer in smooth_herd(votes, allowed=everywhere)]


def test_one_precise_neighbour_is_enough_for_a_broad_taxon() -> None:
    answers = smooth_herd(group(DEER_FAMILY, RED_DEER), allowed=everywhere)

    assert answers[0] == Smoothed("0", RED_DEER, DEER_FAMILY, Rule.TAXONOMY, "1")


@pytest.mark.parametrize("other", [ANIMAL, UNKNOWN])
def test_two_are_needed_for_what_says_nothing(other: Taxon) -> None:
    assert herd(group(other, RED_DEER)) == [other, RED_DEER]
    assert herd(group(other, RED_DEER, RED_DEER)) == [RED_DEER] * 3


def test_a_mammal_does_not_become_a_bird() -> None:
    assert herd(group(MAMMAL, PHEASANT, PHEASANT)) == [MAMMAL, PHEASANT, PHEASANT]


def test_a_taxon_that_is_not_allowed_is_not_taken() -> None:
    answers = smooth_herd(group(DEER_FAMILY, ANIMAL, RED_DEER, RED_DEER, RED_DEER), allowed=no_deer)

    assert all(answer.rule is None for answer in answers)


def test_an_allowed_taxon_is_taken_beside_a_better_one_that_is_not() -> None:
    answers = smooth_herd(group(MAMMAL, RED_DEER, RED_DEER, CARNIVORE), allowed=no_deer)

    assert answers[0].taxon == CARNIVORE


def test_an_unsure_taxon_is_not_taken() -> None:
    votes = group(DEER_FAMILY, RED_DEER, score=0.49)

    assert herd(votes) == [DEER_FAMILY, RED_DEER]
    assert (
        smooth_herd(votes, allowed=everywhere, options=HerdOptions(min_target_score=0.4))[0].taxon == RED_DEER
    )


def test_an_unsure_broad_label_may_take() -> None:
    broad = replace(group(DEER_FAMILY, score=0.2)[0], id="broad")

    assert herd([broad, *group(RED_DEER)]) == [RED_DEER] * 2


@pytest.mark.parametrize("label", [HUMAN, VEHICLE, BLANK])
def test_humans_vehicles_and_blanks_are_left_alone(label: Taxon) -> None:
    assert herd(group(label, *[RED_DEER] * 5)) == [label] + [RED_DEER] * 5
    assert herd(group(ANIMAL, MAMMAL, label, label, label)) == [ANIMAL, MAMMAL, label, label, label]


def test_a_box_of_a_person_is_left_alone() -> None:
    person = Vote("p", Category.PERSON, 0.9, ANIMAL, 0.9)

    assert herd([person, *group(RED_DEER, RED_DEER)])[0] == ANIMAL


def test_strangers_stay_strangers() -> None:
    assert herd(group(*[RED_DEER] * 9, RED_FOX, MOOSE))[-2:] == [RED_FOX, MOOSE]


@given(groups())
def test_a_herds_taxa_only_become_more_precise(votes: list[Vote]) -> None:
    for answer in smooth_herd(votes, allowed=everywhere):
        is_outside = answer.original in {ANIMAL, UNKNOWN}
        assert answer.taxon == answer.original or is_outside or is_below(answer.taxon, answer.original)


@given(groups())
def test_smoothing_a_herd_twice_changes_nothing(votes: list[Vote]) -> None:
    answers = smooth_herd(votes, allowed=no_deer)
    once = [replace(vote, taxon=answer.taxon) for vote, answer in zip(votes, answers, strict=True)]

    assert [answer.taxon for answer in smooth_herd(once, allowed=no_deer)] == [vote.taxon for vote in once]


@given(groups())
def test_nothing_that_is_not_allowed_is_ever_taken(votes: list[Vote]) -> None:
    for answer in smooth_herd(votes, allowed=no_deer):
        assert answer.taxon == answer.original or no_deer(answer.taxon)


@given(groups())
def test_the_order_of_a_herd_does_not_matter(votes: list[Vote]) -> None:
    backwards = smooth_herd(votes[::-1], allowed=everywhere)

    assert backwards[::-1] == smooth_herd(votes, allowed=everywhere)
