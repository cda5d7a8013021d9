"""What is logged is one line of JSON on standard error, and holds no secret, whoever logs it."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from okapia.accounts.key_text import KeyText
from okapia.cli.logs import configure_logs

KEY = KeyText.new().text


@pytest.fixture(autouse=True)
def _libraries_log_as_they_did() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_line_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")

    structlog.get_logger("okapia").info("model_loaded", model="megadetector-lite")

    (line,) = lines(capsys)
    assert (line["event"], line["model"], line["level"]) == ("model_loaded", "megadetector-lite", "info")


def test_libraries_log_alike_and_once_however_often_it_is_configured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("info")
    configure_logs("warning")

    logging.getLogger("httpx").info("a call went out")
    logging.getLogger("uvicorn.error").warning("%d calls were cut off", 2)

    (line,) = lines(capsys)
    assert (line["event"], line["logger"], line["level"]) == (
        "2 calls were cut off",
        "uvicorn.error",
        "warning",
    )


def test_a_key_is_in_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")

    structlog.get_logger("okapia").warning("refused", headers=[(b"authorization", KEY.encode())])
    logging.getLogger("uvicorn.error").info('"%s %s" %d', "GET", f"/v1/usage?key={KEY}", 401)
    logging.getLogger("httpx").info("GET https://a.example/?api_key=hunter2")

    logged = json.dumps(lines(capsys))
    assert KEY not in logged
    assert "hunter2" not in logged
    assert "GET /v1/usage?key=[redacted]" in logged


def test_neither_messages_nor_variables_of_a_crash_tell_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")

    def crash(credential: str) -> None:
        raise ValueError(f"cannot use key={credential}")

    for logger in (structlog.get_logger("okapia"), logging.getLogger("uvicorn.error")):
        try:
            crash("hunter2")
        except ValueError:
            logger.exception("crashed")

    ours, theirs = lines(capsys)
    assert "hunter2" not in json.dumps([ours, theirs])
    assert ours["exception"] == theirs["exception"]
