"""Logs: one line an event, a stable name first, then fields; to standard error."""

import logging
import sys
import warnings

import structlog


def configure_logs(level: str) -> None:
    """Log events of at least `level` (`debug`, `info`, `warning`, `error`).

    Pillow's warnings about odd metadata are left out: a damaged picture is said so in its result.
    """
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
    )
