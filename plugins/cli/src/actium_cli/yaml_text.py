"""Reading YAML as JSON-like data: the types of YAML 1.2, so that ``1e-3`` is a number and ``no`` and dates are text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml


class NotReadableError(ValueError):
    """A text is neither JSON nor YAML."""


class _Loader(yaml.SafeLoader):
    """PyYAML knows YAML 1.1 only, where ``no`` is false, ``12:30`` is 750 and ``1e-3`` is text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML has it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is no text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node), 0) if node.value[:2] in {"0x", "0o"} else int(node.value)


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def read_value(text: str) -> Any:
    """Read one value: JSON where it is JSON, else YAML; nothing at all is null.

    Raises:
        NotReadableError: It is neither.
    """
    documents = list(read_documents(text))
    if len(documents) > 1:
        raise NotReadableError("there are several documents where one value is wanted")
    return documents[0] if documents else None


def read_documents(text: str) -> Iterator[Any]:
    """Read the documents of a YAML text, empty ones left out, or the one of a JSON text.

    Raises:
        NotReadableError: It is neither.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        yield from _yaml_documents(text)
    else:
        yield document


def _yaml_documents(text: str) -> Iterator[Any]:
    try:
        yield from (document for document in yaml.load_all(text, Loader=_Loader) if document is not None)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotReadableError(_in_a_line(error)) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; one with a key twice is left to YAML, which tells where."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key is twice")
    return made


def _in_a_line(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem} in line {mark.line + 1}, column {mark.column + 1}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return " ".join(str(error).split())


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is nothing that JSON can hold")
