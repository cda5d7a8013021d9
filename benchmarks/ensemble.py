"""Answers a second on one core: SpeciesNet's decision list, its geofence, a species list.

Boxes, classes and scores are generated, on SpeciesNet's real labels, taxonomy and range rules where
those lie beside the checkout, and else on the built-in taxonomy with rules for a third of its taxa.

    python benchmarks/ensemble.py [--answers 20000] [--rounds 5]
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random

from harness import Round, report, sample

from okapia.domain.taxonomy import BLANK, HUMAN, VEHICLE, Rank, Taxon, Taxonomy
from okapia.domain.types import BBox, Category, Classification, Detection
from okapia.models.taxa import builtin_taxonomy
from okapia.pipeline.ensemble import TOP, decide
from okapia.pipeline.geofence import Geofence, TaxonRules
from okapia.pipeline.geofence_build import amend_geofence
from okapia.pipeline.geofence_files import read_rules
from okapia.pipeline.species_list import SpeciesList
from okapia.pipeline.text_files import read_labels, read_taxonomy

REAL = Path(__file__).parents[1] / ".." / "shared" / "data" / "speciesnet"
PLACES = (("GBR", None), ("KEN", None), ("USA", "NY"), ("USA", None), ("AUS", None))
WHOLE: frozenset[str] = frozenset()

Question = tuple[Detection, tuple[Classification, ...], str, str | None]


@dataclass(frozen=True, slots=True)
class World:
    """What the rules know."""

    labels: Sequence[Taxon]
    taxonomy: Taxonomy
    geofence: Geofence


def real_world() -> World:
    taxonomy = read_taxonomy(REAL / "taxonomy_release.txt")
    rules = read_rules(REAL / "geofence_fixes.csv")
    labels = read_labels(REAL / "always_crop_99710272_22x8_v12_epoch_00148.labels.txt")
    return World(labels, taxonomy, amend_geofence(Geofence({}), rules, taxonomy=taxonomy))


def small_world() -> World:
    taxonomy = builtin_taxonomy()
    animals = [taxon for taxon in taxonomy if taxon.rank is Rank.SPECIES]
    rules = {taxon.key: TaxonRules(allow={"KEN": WHOLE}) for taxon in animals[::3]}
    return World([*animals, BLANK, HUMAN, VEHICLE], taxonomy, Geofence(rules))


def questions(world: World, amount: int) -> list[Question]:
    """Boxes of every kind; softmax-like scores; half of the answers are among relatives, as in life."""
    random = Random(17)  # noqa: S311 - the same questions every time, no secret
    return [_question(world, random) for _ in range(amount)]


def _question(world: World, random: Random) -> Question:
    category = random.choices((Category.ANIMAL, Category.PERSON, Category.VEHICLE), (8, 1, 1))[0]
    detection = Detection(BBox(0.1, 0.1, 0.5, 0.5), category, random.random(), category.value)
    start = random.randrange(len(world.labels))
    near = [world.labels[(start + step) % len(world.labels)] for step in range(TOP)]
    taxa = random.choice((near, random.sample(world.labels, TOP)))
    cuts = sorted(random.random() for _ in range(TOP))
    scores = sorted((high - low for low, high in pairwise((0.0, *cuts))), reverse=True)
    return detection, tuple(map(Classification, taxa, scores)), *random.choice(PLACES)


def rules_alone(world: World, asked: Sequence[Question]) -> None:
    for detection, seen, _, _ in asked:
        decide(detection, seen, taxonomy=world.taxonomy)


def with_geofence(world: World, asked: Sequence[Question]) -> None:
    for detection, seen, country, state in asked:
        decide(detection, seen, taxonomy=world.taxonomy, fence=world.geofence.at(country, state))


def with_species_list(world: World, asked: Sequence[Question], *, species: SpeciesList) -> None:
    for detection, seen, country, state in asked:
        fence = world.geofence.at(country, state)
        species.restrict(decide(detection, seen, taxonomy=world.taxonomy, fence=fence), fence)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--answers", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    world = real_world() if REAL.is_dir() else small_world()
    print(
        f"{len(world.labels):,} labels, {len(world.taxonomy):,} taxa, rules for {len(world.geofence.rules):,}"
    )
    asked = questions(world, options.answers)
    species = SpeciesList.of([taxon for taxon in world.labels if taxon.species][:200], world.taxonomy)
    arms: dict[str, Callable[[World, Sequence[Question]], None]] = {
        "ensemble + geofence": with_geofence,
        "ensemble": rules_alone,
        "ensemble + geofence + species list": partial(with_species_list, species=species),
    }
    with_geofence(world, asked[:1000])  # a first turn warms caches and is left out
    rounds: list[Round] = [
        {name: sample(partial(arm, world, asked), units=len(asked)) for name, arm in arms.items()}
        for _ in range(options.rounds)
    ]
    report("ensemble", rounds, baseline="ensemble + geofence", unit="answer")


if __name__ == "__main__":
    main()
