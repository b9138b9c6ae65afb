"""Configurations and labels from options."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from actium_cli.settings import SettingError, parse_path, parse_setting, with_settings, without
from actium_cli.yaml_text import NotReadableError, read_value


def configuration_of(
    present: Mapping[str, Any] | None,
    *,
    whole: str | None,
    settings: Sequence[str] | None,
    unset: Sequence[str] | None,
) -> dict[str, Any] | None:
    """The configuration that options ask for; None if they ask for none.

    Args:
        present: The configuration that single fields are changed in.
        whole: A whole one, in its place.
        settings: Fields to set, ``path=value``.
        unset: Fields to take away.
    """
    if whole is None and not settings and not unset:
        return None
    configuration = dict(present or {})
    if whole is not None:
        configuration = value_of(whole, option="--config")
        if not isinstance(configuration, dict):
            raise typer.BadParameter("A configuration is an object with fields.", param_hint="--config")
    try:
        configuration = without(configuration, map(parse_path, unset or ()))
    except SettingError as error:
        raise typer.BadParameter(str(error), param_hint="--unset") from error
    try:
        return with_settings(configuration, map(parse_setting, settings or ()))
    except SettingError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from error


def labels_of(texts: Sequence[str] | None) -> dict[str, str] | None:
    """Labels from ``name=text``; None if there are none."""
    if not texts:
        return None
    for text in texts:
        if "=" not in text:
            raise typer.BadParameter(f"{text!r} is not of the form name=text.", param_hint="--label")
    return {name: value for name, _, value in (text.partition("=") for text in texts)}


def value_of(text: str, *, option: str) -> Any:
    """A value that is JSON or YAML, in the option itself, in the file after ``@``, or on standard input for ``-``."""
    try:
        return read_value(_content(text))
    except OSError as error:
        raise typer.BadParameter(f"{text[1:]} cannot be read: {error.strerror}.", param_hint=option) from error
    except (NotReadableError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"This cannot be read as JSON or YAML: {error}.", param_hint=option) from error


def _content(text: str) -> str:
    if text == "-":
        return sys.stdin.read()
    return Path(text[1:]).read_text(encoding="utf-8-sig") if text.startswith("@") else text
