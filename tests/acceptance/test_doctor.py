"""`okapia doctor` says what is wrong and what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.okapia_process import okapia


@pytest.mark.models
@pytest.mark.usefixtures("lite")
def test_a_whole_installation_has_nothing_failed() -> None:
    result = okapia("doctor", "--json")

    findings = json.loads(result.stdout)["findings"]
    assert result.returncode == 0, findings
    assert {finding["subject"] for finding in findings} >= {
        "versions",
        "home",
        "disk",
        "memory",
        "model",
        "device",
    }


def test_a_bare_home_names_the_command_for_each_missing_model(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "okapia", "doctor"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"OKAPIA_HOME": str(tmp_path)},
    )

    assert result.returncode == 1
    assert "-> okapia models pull megadetector-lite" in result.stdout
    assert "Traceback" not in result.stderr
