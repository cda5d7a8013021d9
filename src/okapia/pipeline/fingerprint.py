"""What answers depend on beside picture and options, as one hash: another hash, another answer perhaps."""

import hashlib

import orjson

from okapia import __version__
from okapia.domain.models import ModelReport
from okapia.pipeline.geofence import Regions
from okapia.pipeline.naming import Naming
from okapia.pipeline.run import Pipeline
from okapia.vision.decode import DecodePolicy


def fingerprint(pipeline: Pipeline, *, tiles: int, naming: str) -> str:
    """Hash a pipeline: SHA-256 in hexadecimal.

    Args:
        tiles: a side, that its detector looks at.
        naming: hash of its `Naming`, which takes a while for thousands of taxa.
    """
    models = [_model(report) for report in pipeline.reports]
    return _hash([__version__, models, tiles, _decoding(pipeline.policy), naming])


def hash_naming(naming: Naming) -> str:
    """Hash what scores are turned into answers with."""
    taxa = [taxon.label for taxon in naming.taxonomy]
    rules = [
        (key, _regions(rule.allow), _regions(rule.block))
        for key, rule in sorted(naming.geofence.rules.items(), key=lambda item: item[0])
    ]
    listed = naming.species_list
    allowed = [(key, sorted(below)) for key, below in sorted(listed.children.items())] if listed else None
    return _hash([taxa, rules, allowed, listed.walk if listed else None, naming.top_classes])


def _model(report: ModelReport) -> tuple[object, ...]:
    # The first and the second GPU of a kind answer alike.
    kind = report.device.partition(":")[0]
    network = (report.model_id, report.sha256, report.built_from, report.canvas)
    return (*network, report.engine, kind, report.precision)


def _decoding(policy: DecodePolicy) -> tuple[object, ...]:
    return policy.max_pixels, policy.truncated, policy.scaling, policy.formats


def _regions(regions: Regions) -> list[tuple[str, list[str]]]:
    return [(country, sorted(states)) for country, states in sorted(regions.items())]


def _hash(content: list[object]) -> str:
    return hashlib.sha256(orjson.dumps(content)).hexdigest()
