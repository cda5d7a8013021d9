"""The decoder that Microsoft's own programs read answers with; an untyped library, met in this file only."""

import json
import re
from dataclasses import dataclass
from typing import Any

from requests_toolbelt.multipart import decoder  # type: ignore[import-untyped] # has no types, nor stubs


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a decoded form."""

    name: str
    content_type: str
    disposition: str
    content: bytes

    @property
    def document(self) -> Any:
        """JSON as a test reads it."""
        return json.loads(self.content)


def decode(content: bytes, content_type: str) -> dict[str, Part]:
    """Read an answer's form; its parts by name, in their order."""
    parts: dict[str, Part] = {}
    for part in decoder.MultipartDecoder(content, content_type).parts:
        headers = {k.decode(part.encoding): v.decode(part.encoding) for k, v in part.headers.items()}
        disposition = headers["Content-Disposition"]
        (name,) = re.findall(r'; name="([^"]*)"', disposition)
        assert name not in parts
        parts[name] = Part(name, headers["Content-Type"], disposition, part.content)
    return parts
