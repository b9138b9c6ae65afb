"""Makes what a pipeline returns something that JSON can hold, whatever it is: a finished run is never lost for that."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

MAX_RESULT_BYTES = 262_144
SHOWN_CHARACTERS = 200


def as_result(value: object) -> Any:
    """Write a value in JSON's terms.

    What JSON has no word for is told as its shortened ``repr``, and so is a result of more than 256 KiB.
    """
    try:
        written = to_json(value, inf_nan_mode="strings", bytes_mode="base64", fallback=_in_python)
    except (PydanticSerializationError, ValueError, RecursionError):
        return _shortened(value)
    if len(written) > MAX_RESULT_BYTES:
        return {
            "omitted": f"{len(written):,} bytes of JSON, more than {MAX_RESULT_BYTES:,}",
            "value": _shortened(value),
        }
    return _storable(json.loads(written))


def _storable(value: Any) -> Any:
    """Replace NUL, which no database holds in a text."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def _in_python(value: object) -> Any:
    """Turn an array or a number of a numerical library into lists and numbers; tell anything else as text."""
    to_list = getattr(value, "tolist", None)
    return to_list() if callable(to_list) else _shortened(value)


def _shortened(value: object) -> str:
    text = repr(value).encode(errors="replace").decode().replace("\x00", "\ufffd")
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
