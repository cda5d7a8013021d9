"""Secrets taken out of what is logged, wherever in it they stand.

Rather too much than too little: what looks like the value of a secret field is taken out up to where it
certainly ends.
"""

import re
from collections.abc import Mapping
from typing import Final

REDACTED: Final = "[redacted]"

_MOST_LEVELS: Final = 32

_ENDINGS: Final = (
    *("apikey", "accesskey", "secretkey", "privatekey", "subscriptionkey"),
    *("token", "password", "passwd", "passphrase", "secret", "signature", "credential", "credentials"),
    *("authorization", "cookie"),
)
_WHOLE: Final = frozenset({"key", "sig", "pwd", "auth"})
"""Names that are secret by themselves; others only end so: `blob_key` is none."""

_PLAIN: Final = re.compile(
    r"ok_live_\w+"  # our keys, whoever was to have them
    r"|\beyJ[\w-]*\.[\w-]+(?:\.[\w-]*)?"  # JSON Web Tokens: their first part is a JSON object in base64
    r"|(?<=://)[^\s/?#@]{0,256}:[^\s/?#]{1,512}(?=@)"  # name and password in a URL
    r"|(?i:(?<=\bbearer)\s+[^\s\"'&]+|(?<=\bbasic)\s+[A-Za-z0-9+/]{8,}={0,2})"
)

# A name, and what stands between it and its value: in queries and forms, in headers, in JSON and in Python's
# `repr`, and each of them quoted in another. Names begin at a boundary: an encoded sign is one.
_FIELD: Final = re.compile(
    r"%[0-9A-Fa-f]{2}"
    r"|(?:(?<![\w.-])|(?<=%[0-9A-Fa-f]{2}))(?P<name>[A-Za-z][\w.-]*+)"
    r"""(?:\\*["']?\s{0,8}(?:=|:|%3[Dd])\s{0,8}|\\*["'],\s{0,8})"""
)
_QUOTED: Final = re.compile(r"""b?(?P<mark>\\*["'])(?:.*?(?<!\\)(?P=mark)|.*)""", re.DOTALL)
_BARE: Final = re.compile(r"""(?:(?!%26)[^\s&"'<>])*""")
_LINE: Final = re.compile(r"[^\r\n]*")


def redact(fields: Mapping[str, object]) -> dict[str, object]:
    """Give a copy of what is to be logged, without secrets; what JSON does not have by its `repr`."""
    return {name: _field(name, value, _MOST_LEVELS) for name, value in fields.items()}


def redact_text(text: str) -> str:
    """Take keys, tokens, passwords and signatures out of a text, and leave the rest as it is."""
    return _without_fields(_PLAIN.sub(_replaced, text))


def is_secret_name(name: str) -> bool:
    """Tell names of fields and headers whose values nobody may read: `Authorization`, `apiKey`, `sig`."""
    plain = re.sub(r"[\s_.-]", "", name).lower()
    return plain in _WHOLE or plain.endswith(_ENDINGS)


def _redacted(value: object, *, levels: int) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if levels == 0:
        return REDACTED
    match value:
        case Mapping():
            return {redact_text(_text(name)): _field(name, each, levels - 1) for name, each in value.items()}
        case (str() | bytes() as name, each):  # perhaps one header, as ASGI has it
            return [redact_text(_text(name)), _field(name, each, levels - 1)]
        case list() | tuple() | set() | frozenset():
            return [_redacted(each, levels=levels - 1) for each in value]
        case _:
            return redact_text(_text(value))


def _field(name: object, value: object, levels: int) -> object:
    return REDACTED if is_secret_name(_text(name)) else _redacted(value, levels=levels)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else repr(value)


def _replaced(match: re.Match[str]) -> str:
    space = " " if match[0][0].isspace() else ""
    return space + REDACTED


def _without_fields(text: str) -> str:
    parts: list[str] = []
    end = 0
    for field in _FIELD.finditer(text):
        name = field["name"]
        if field.start() < end or name is None or not is_secret_name(name):
            continue
        if text.startswith(REDACTED, field.end()):
            continue
        parts += text[end : field.end()], REDACTED
        end = _end_of_value(text, field.end(), name)
    return "".join([*parts, text[end:]])


def _end_of_value(text: str, begin: int, name: str) -> int:
    quoted = _QUOTED.match(text, begin)
    if quoted is not None:
        return quoted.end()
    # These headers have values of several words.
    is_line = name.lower().endswith(("authorization", "cookie"))
    value = (_LINE if is_line else _BARE).match(text, begin)
    return value.end() if value is not None else begin
