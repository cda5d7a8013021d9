"""What `okapia doctor` finds, and how it is shown."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; of what is not `ok`, `why` it matters and in `advice` what mends it."""

    subject: str
    state: State
    fact: str
    advice: str = ""
    why: str = ""


def as_json(findings: Sequence[Finding]) -> str:
    return json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=2)


def as_text(findings: Sequence[Finding]) -> str:
    return "\n".join(_lines(finding) for finding in findings)


def _lines(finding: Finding) -> str:
    below = [finding.why, f"-> {finding.advice}" if finding.advice else ""]
    head = f"{finding.state:8} {finding.subject:12} {finding.fact}"
    return "\n".join([head, *(f"{'':22}{line}" for line in below if line)])
