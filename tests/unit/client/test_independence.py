"""The client stands alone: a program that calls a server does not load one."""

import json
import subprocess
import sys

IMPORT = "import json, sys, okapia.client; print(json.dumps(sorted(sys.modules)))"

HEAVY = {"fastapi", "starlette", "pydantic", "numpy", "onnxruntime", "PIL", "cv2", "sqlalchemy"}


def test_importing_the_client_loads_nothing_else_of_okapia_and_no_server() -> None:
    run = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)

    loaded = set(json.loads(run.stdout))
    ours = {name for name in loaded if name.split(".")[0] == "okapia"}
    assert {name for name in ours if name != "okapia" and not name.startswith("okapia.client")} == set()
    assert not loaded & {
        "fastapi",
        "starlette",
        "pydantic",
        "numpy",
        "onnxruntime",
        "PIL",
        "cv2",
        "sqlalchemy",
    }
