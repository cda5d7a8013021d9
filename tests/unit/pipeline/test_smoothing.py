"""MegaDetector's smoothing, rule by rule, and what holds of all of them together."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.taxonomy import ANIMAL, HUMAN, VEHICLE, Taxon
from okapia.domain.types import Category
from okapia.pipeline.smoothing import SmoothingOptions, smooth
from okapia.pipeline.votes import Rule, Smoothed, Vote, is_below
from tests.unit.pipeline.beasts import (
    BIRD,
    BLANK,
    BUCK,
    CARNIVORE,
    COYOTE,
    DEER_FAMILY,
    DOG,
    DOG_FAMILY,
    FOXES,
    MAMMAL,
    MOOSE,
    PHEASANT,
    RED_DEER,
    RED_FOX,
    UNKNOWN,
    WOLF,
    group,
    groups,
)

FAMILY_RULE = SmoothingOptions(max_detections_nondominant_class_same_family=5, max_rounds=1)


def taxa(answers: Sequence[Smoothed]) -> list[Taxon]:
    return [answer.taxon for answer in answers]


def renamed(votes: Sequence[Vote], answers: Sequence[Smoothed]) -> list[Vote]:
    return [replace(vote, taxon=answer.taxon) for vote, answer in zip(votes, answers, strict=True)]


# --- step 0: what is counted ----------------------------------------------------------


@pytest.mark.parametrize("only", [[], [MOOSE], [MOOSE] * 9, [ANIMAL] * 3])
def test_a_group_of_one_taxon_stays_as_it_is(only: list[Taxon]) -> None:
    answers = smooth(group(*only))

    assert taxa(answers) == only
    assert all(answer.rule is None and answer.source is None for answer in answers)


@pytest.mark.parametrize(
    "weak",
    [
        Vote("weak", Category.ANIMAL, 0.149, MAMMAL, 0.9),
        Vote("weak", Category.ANIMAL, 0.9, MAMMAL, 0.499),
        Vote("weak", Category.PERSON, 0.9, MAMMAL, 0.9),
    ],
    ids=["detector unsure", "classifier unsure", "no animal"],
)
def test_weak_detections_and_other_categories_are_not_changed(weak: Vote) -> None:
    assert smooth([*group(MOOSE, MOOSE), weak])[-1] == Smoothed("weak", MAMMAL, MAMMAL)


def test_weak_detections_do_not_count() -> None:
    weak = Vote("weak", Category.ANIMAL, 0.149, MOOSE, 0.9)

    assert taxa(smooth([weak, *group(MOOSE, ANIMAL)])) == [MOOSE, MOOSE, ANIMAL]


def test_thresholds_are_met_by_being_equal() -> None:
    votes = group(MOOSE, MOOSE, ANIMAL, confidence=0.15, score=0.5)

    assert taxa(smooth(votes)) == [MOOSE] * 3


def test_an_other_that_ties_with_a_real_taxon_does_not_lead() -> None:
    assert taxa(smooth(group(ANIMAL, ANIMAL, MOOSE, MOOSE))) == [MOOSE] * 4


def test_kept_names_are_neither_counted_nor_changed() -> None:
    votes = group(RED_DEER, RED_DEER, RED_DEER, RED_DEER, HUMAN)

    assert taxa(smooth(votes))[-1] == RED_DEER
    assert taxa(smooth(votes, SmoothingOptions(kept_names=frozenset({"human"}))))[-1] == HUMAN


# --- step 1: other --------------------------------------------------------------------


@pytest.mark.parametrize("other", [ANIMAL, MAMMAL, BLANK, UNKNOWN])
def test_others_become_the_leader_that_has_two(other: Taxon) -> None:
    answers = smooth(group(PHEASANT, PHEASANT, other, score=0.8))

    assert answers[2] == Smoothed("2", PHEASANT, other, Rule.OTHER, "1")


def test_others_stay_beside_a_leader_of_one() -> None:
    assert taxa(smooth(group(PHEASANT, MAMMAL))) == [PHEASANT, MAMMAL]


def test_others_that_lead_stay() -> None:
    assert taxa(smooth(group(ANIMAL, ANIMAL, ANIMAL, MOOSE, MOOSE))) == [ANIMAL] * 3 + [MOOSE] * 2


# --- step 2: minority -----------------------------------------------------------------


def test_a_single_stranger_becomes_the_leader_that_has_four() -> None:
    answers = smooth(group(RED_DEER, RED_DEER, RED_DEER, RED_DEER, PHEASANT))

    assert (answers[4].taxon, answers[4].rule, answers[4].original) == (RED_DEER, Rule.MINORITY, PHEASANT)


def test_a_stranger_stays_beside_a_leader_of_three_and_so_do_two_strangers() -> None:
    assert taxa(smooth(group(RED_DEER, RED_DEER, RED_DEER, PHEASANT)))[-1] == PHEASANT
    assert taxa(smooth(group(*[RED_DEER] * 9, PHEASANT, PHEASANT)))[-2:] == [PHEASANT, PHEASANT]


def test_the_minority_rule_flips_single_detections_though_its_comment_says_never() -> None:
    assert SmoothingOptions().max_detections_nondominant_class == 1
    assert taxa(smooth(group(*[RED_DEER] * 4, MOOSE)))[-1] == RED_DEER


def test_a_minority_is_not_turned_into_its_parent() -> None:
    options = SmoothingOptions(propagate_classifications_through_taxonomy=False)

    assert taxa(smooth(group(*[DEER_FAMILY] * 4, MOOSE), options))[-1] == MOOSE


def test_another_name_of_the_same_taxon_is_no_minority() -> None:
    assert taxa(smooth(group(*[RED_DEER] * 4, BUCK)))[-1] == BUCK


def test_a_vehicle_among_animals_is_no_minority() -> None:
    assert taxa(smooth(group(*[RED_DEER] * 4, VEHICLE)))[-1] == VEHICLE


# --- step 3: taxonomy -----------------------------------------------------------------


def test_a_broad_taxon_takes_the_one_below_it() -> None:
    answers = smooth(group(CARNIVORE, RED_FOX, MOOSE))

    assert answers[0] == Smoothed("0", RED_FOX, CARNIVORE, Rule.TAXONOMY, "1")
    assert taxa(answers)[1:] == [RED_FOX, MOOSE]


def test_the_more_specific_of_two_is_taken_and_among_equals_the_more_frequent() -> None:
    assert taxa(smooth(group(CARNIVORE, FOXES, FOXES, FOXES, WOLF)))[0] == WOLF
    assert taxa(smooth(group(CARNIVORE, WOLF, RED_FOX, RED_FOX)))[0] == RED_FOX


def test_weights_decide_between_specific_and_frequent() -> None:
    options = SmoothingOptions(taxonomy_propagation_level_weight=0.1, taxonomy_propagation_count_weight=1.0)

    assert taxa(smooth(group(CARNIVORE, FOXES, FOXES, WOLF), options))[0] == FOXES


def test_animal_has_no_children_for_the_taxonomy_rule() -> None:
    assert taxa(smooth(group(ANIMAL, RED_FOX))) == [ANIMAL, RED_FOX]


def test_a_subspecies_is_not_below_the_species_whose_name_it_begins_with() -> None:
    assert taxa(smooth(group(WOLF, DOG))) == [WOLF, DOG]


def test_the_taxonomy_rule_can_be_switched_off() -> None:
    options = SmoothingOptions(propagate_classifications_through_taxonomy=False)

    assert taxa(smooth(group(CARNIVORE, RED_FOX), options)) == [CARNIVORE, RED_FOX]


# --- step 4: family -------------------------------------------------------------------


def test_the_family_rule_does_nothing_by_default_though_its_comment_says_otherwise() -> None:
    assert taxa(smooth(group(MOOSE, MOOSE, MOOSE, RED_DEER, RED_DEER)))[3:] == [RED_DEER] * 2


def test_the_family_rule_gives_a_family_its_leader() -> None:
    answers = smooth(group(MOOSE, MOOSE, MOOSE, RED_DEER, RED_DEER, WOLF), FAMILY_RULE)

    assert taxa(answers) == [MOOSE] * 5 + [WOLF]
    assert answers[3].rule is Rule.FAMILY


def test_the_family_rule_draws_no_ties_and_climbs_no_genus() -> None:
    assert taxa(smooth(group(MOOSE, MOOSE, RED_DEER, RED_DEER), FAMILY_RULE))[2:] == [RED_DEER] * 2

    no_descent = replace(FAMILY_RULE, propagate_classifications_through_taxonomy=False)
    assert taxa(smooth(group(FOXES, FOXES, FOXES, RED_FOX, COYOTE), no_descent))[3:] == [RED_FOX, FOXES]


def test_the_family_rule_needs_a_leader_at_genus_or_species() -> None:
    options = replace(FAMILY_RULE, propagate_classifications_through_taxonomy=False)

    assert taxa(smooth(group(DOG_FAMILY, DOG_FAMILY, DOG_FAMILY, WOLF), options))[-1] == WOLF


def test_zero_switches_the_family_rule_off() -> None:
    options = replace(FAMILY_RULE, min_detections_to_overwrite_secondary_same_family=0)

    assert taxa(smooth(group(MOOSE, MOOSE, RED_DEER), options))[-1] == RED_DEER


# --- all rules ------------------------------------------------------------------------


def test_rules_follow_each_other_and_megadetectors_single_round_is_to_be_had() -> None:
    votes = group(RED_FOX, RED_FOX, RED_FOX, CARNIVORE, PHEASANT)

    assert taxa(smooth(votes)) == [RED_FOX] * 5
    assert taxa(smooth(votes, SmoothingOptions(max_rounds=1)))[-1] == PHEASANT


def test_the_source_is_the_best_scored_detection_that_had_the_taxon_itself() -> None:
    votes = [
        Vote("a", Category.ANIMAL, 0.9, RED_FOX, 0.7),
        Vote("b", Category.ANIMAL, 0.9, RED_FOX, 0.8),
        Vote("c", Category.ANIMAL, 0.9, CARNIVORE, 0.99),
    ]

    assert smooth(votes)[2].source == "b"


@given(groups())
def test_smoothing_twice_changes_nothing(votes: list[Vote]) -> None:
    once = renamed(votes, smooth(votes))

    assert renamed(once, smooth(once)) == once


@given(groups().flatmap(lambda votes: st.tuples(st.just(votes), st.permutations(votes))))
def test_the_order_of_the_detections_does_not_matter(both: tuple[list[Vote], list[Vote]]) -> None:
    votes, shuffled = both

    assert sorted(smooth(shuffled), key=lambda answer: answer.id) == sorted(
        smooth(votes), key=lambda answer: answer.id
    )


@given(groups())
def test_nothing_becomes_its_own_ancestor(votes: list[Vote]) -> None:
    for answer in smooth(votes):
        assert not (answer.taxon.class_ and is_below(answer.original, answer.taxon))


@given(groups())
def test_the_taxonomy_rule_by_itself_only_goes_down(votes: list[Vote]) -> None:
    only = SmoothingOptions(min_detections_to_overwrite_other=99, min_detections_to_overwrite_secondary=99)

    for answer in smooth(votes, only):
        assert answer.taxon == answer.original or is_below(answer.taxon, answer.original)


@given(groups())
def test_every_answer_keeps_its_original_and_takes_a_taxon_of_the_group(votes: list[Vote]) -> None:
    there = {vote.taxon for vote in votes}

    for vote, answer in zip(votes, smooth(votes), strict=True):
        assert (answer.id, answer.original) == (vote.id, vote.taxon)
        assert answer.taxon in there
        assert (answer.rule is None) == (answer.source is None) == (answer.taxon == vote.taxon)


def test_bird_and_mammal_are_both_broad_but_only_the_mammal_is_other() -> None:
    assert taxa(smooth(group(BIRD, MAMMAL, RED_DEER, RED_DEER))) == [BIRD, RED_DEER, RED_DEER, RED_DEER]
