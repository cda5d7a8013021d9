"""Logs: one line of JSON an event, a stable name first, then fields; to standard error, without secrets."""

import logging
import sys
import warnings
from typing import Final

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.types import EventDict, Processor, WrappedLogger

from okapia.web.redaction import redact


def configure_logs(level: str) -> None:
    """Log events of at least `level` (`debug`, `info`, `warning`, `error`), ours and those of libraries.

    Pillow's warnings about odd metadata are left out: a damaged picture is said so in its result.
    """
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        processors=[*_STAMP, *_WRITE],
    )
    root = logging.getLogger()
    root.setLevel(level.upper())
    root.addHandler(_OF_LIBRARIES)  # it is there once, however often


class _StandardError(logging.Handler):
    """Writes to whatever standard error is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr)  # noqa: T201 - that is where logs go
        except Exception:  # noqa: BLE001 - a line that cannot be written stops no work
            self.handleError(record)


def _without_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return redact(event)


_STAMP: Final[tuple[Processor, ...]] = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
)
_WRITE: Final[tuple[Processor, ...]] = (
    # Local variables hold keys and pictures.
    structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    _without_secrets,
    structlog.processors.JSONRenderer(),
)

_OF_LIBRARIES: Final = _StandardError()
_OF_LIBRARIES.setFormatter(
    structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *_STAMP],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_WRITE],
    )
)
