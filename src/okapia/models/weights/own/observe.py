"""One test inference of a strange network: what its outputs really look like."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from okapia.domain.errors import ModelError
from okapia.domain.types import Size
from okapia.models.base import Tensor
from okapia.models.weights.fingerprint import probe
from okapia.models.weights.own.inspect import NetworkFacts, Port, Shape, listed
from okapia.models.weights.own.partial import Fragment, part
from okapia.models.weights.pull import OpenSession

_PICTURE_TYPES = ("float", "float16", "double", "uint8")

_USUAL_SIDES = (640, 224, 1280, 480)
"""What a network whose sides are open is tried at: detectors, then classifiers, then the large ones."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A network's answer to the test picture: 0..1, or 0..255 where it takes bytes.

    Attributes:
        canvas: what it was run at.
        is_open: the file leaves the sides open, so another canvas might do.
        layout: `nchw` or `nhwc`.
        outputs: by name, for one picture; all numbers are finite.
    """

    facts: NetworkFacts
    canvas: Size
    is_open: bool
    layout: str
    outputs: Mapping[str, Tensor]

    @property
    def shapes(self) -> str:
        """Every output's name and shape, for people."""
        return "; ".join(f"{name} {listed(value.shape)}" for name, value in self.outputs.items())


def observe(facts: NetworkFacts, open_session: OpenSession, *, given: Fragment) -> Observation:
    """Run a network once on the test picture.

    Args:
        given: what a person said; its `canvas` and layout win where the file leaves them open.

    Raises:
        ModelError: its input is not one RGB picture, it does not run, or what it answers is not finite.
    """
    port = _picture_input(facts)
    whole = np.float32(1 if port.dtype == "uint8" else 255)
    failures = []
    for layout in _layouts(port, facts, given):
        for canvas in _canvases(facts, port, layout, given):
            shape = _input_shape(canvas, layout)
            try:
                outputs = open_session(facts.path, shape).run(probe(shape) / whole)
            except ModelError as error:
                failures.append(f"{facts.name} does not run at {canvas[0]} x {canvas[1]} pixels: {error}")
                continue
            _require_finite(outputs, facts)
            return Observation(facts, canvas, None in _size(port, layout), layout, outputs)
    raise ModelError(failures[0])


def _require_finite(outputs: Mapping[str, Tensor], facts: NetworkFacts) -> None:
    for name, values in outputs.items():
        if not np.isfinite(values).all():
            raise ModelError(
                f"{facts.name} answers the test picture with numbers that are not finite ({name})"
            )


def _picture_input(facts: NetworkFacts) -> Port:
    """Find the input.

    Raises:
        ModelError: it is none that a picture fits.
    """
    if len(facts.inputs) != 1:
        ports = ", ".join(map(str, facts.inputs)) or "none"
        raise ModelError(f"{facts.name}: expected one input, a picture; it has {len(facts.inputs)}: {ports}")
    port = facts.inputs[0]
    if port.dtype not in _PICTURE_TYPES:
        raise ModelError(f"{facts.name}: expected an input of {' or '.join(_PICTURE_TYPES)}, got {port}")
    if len(_sides(port)) != 4:
        raise ModelError(
            f"{facts.name}: expected an input of four sides such as [1, 3, 640, 640], got {port}"
        )
    return port


def _sides(port: Port) -> Shape:
    """Give the four sides; all are open where the file declares nothing at all."""
    return (None,) * 4 if port.shape is None else port.shape


def _layouts(port: Port, facts: NetworkFacts, given: Fragment) -> tuple[str, ...]:
    """Give the layouts that are possible, the likelier first.

    Raises:
        ModelError: there is none with three channels.
    """
    _, first, _, last = _sides(port)
    channels = {"nchw": first, "nhwc": last}
    said = part(given, "preprocessing").get("layout")
    wanted = [layout for layout in channels if layout == said] or list(channels)
    sure = tuple(layout for layout in wanted if channels[layout] == 3)
    possible = sure[:1] or tuple(layout for layout in wanted if channels[layout] is None)
    if not possible:
        raise ModelError(f"{facts.name}: expected three channels, red, green and blue, got {port}")
    return possible


def _size(port: Port, layout: str) -> Shape:
    """(width, height), None where open."""
    _, *sides = _sides(port)
    height, width = sides[1:] if layout == "nchw" else sides[:2]
    return width, height


def _canvases(facts: NetworkFacts, port: Port, layout: str, given: Fragment) -> Iterator[Size]:
    """Give the canvases to try: the file's own; what was said; what it was exported for; the usual ones."""
    width, height = _size(port, layout)
    said = _said_canvas(given)
    exported = [facts.metadata.canvas] if facts.metadata.canvas else []
    usual = [(side, side) for side in _USUAL_SIDES]
    tried = [(width or canvas[0], height or canvas[1]) for canvas in said or [*exported, *usual]]
    yield from dict.fromkeys(tried)


def _said_canvas(given: Fragment) -> list[Size]:
    """Read the card's key `canvas`; what is none is left to the card's own check."""
    said = given.get("canvas")
    sides = [said, said] if isinstance(said, int) else said
    if not isinstance(sides, list | tuple) or len(sides) != 2:
        return []
    width, height = sides
    return [(width, height)] if isinstance(width, int) and isinstance(height, int) else []


def _input_shape(canvas: Size, layout: str) -> tuple[int, int, int, int]:
    width, height = canvas
    return (1, 3, height, width) if layout == "nchw" else (1, height, width, 3)
