"""Rules of secrets: they are references wherever they are kept, and masked wherever they are told."""

from __future__ import annotations

import copy
import logging
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, SecretStr

from actium.auth.secret_references import resolve_references
from actium.models.leaves import leaves
from pytest_actium.flavors.subject import Bench, Configuration, FlavorSubject
from pytest_actium.verdicts import fail, in_words

_NAMED_LIKE_A_SECRET = re.compile(
    r"(^|_)(password|passwd|passphrase|secret|secrets|token|tokens|credential|credentials|api_?keys?|private_?key)$",
    re.IGNORECASE,
)
_LITERAL = "a-literal-secret-5f1d"


class SecretRules(FlavorSubject):
    """What becomes of secrets."""

    @pytest.fixture
    def with_secrets(self, secrets: dict[str, str]) -> dict[str, str]:
        """The made-up secrets; the test is left out where the valid configuration refers to none."""
        if not secrets:
            pytest.skip("the valid configuration refers to no secret, such as env:NAME")
        return secrets

    def test_fields_named_like_secrets_are_secret(self, bench: Bench) -> None:
        """A field that is named like a secret holds a reference, as only a SecretStr does."""
        model = bench.handler.config_class
        plain = [path for path in _plain_secrets(model, frozenset()) if path.rpartition(".")[2] not in self.NOT_SECRET]
        if plain:
            fail(
                f"These fields of {self.key} would be stored as they are: {', '.join(plain)}.",
                mend="declare them as pydantic.SecretStr, or name them in NOT_SECRET if they hold none.",
            )

    def test_literal_secrets_are_not_repeated(self, bench: Bench, configuration: Configuration) -> None:
        """A secret that is given as it is is refused, and the refusal does not repeat it."""
        places = _secret_places(bench, configuration)
        if not places:
            pytest.skip("the valid configuration holds no secret")
        for place in places:
            given = _replaced(configuration, place, _LITERAL)
            if given is None:
                continue
            try:
                bench.create(given)
            except Exception as error:
                told = "".join(traceback.format_exception(error, limit=0)) + repr(error)
                if _LITERAL in told:
                    fail(
                        f"The refusal of a literal secret at {place} repeats it: {in_words(error)[:500]}",
                        mend="leave a secret's value out of what validators raise.",
                    )
            else:
                fail(
                    f"A literal secret at {place} was taken, and is stored.",
                    mend="leave the field a SecretStr, which Actium checks.",
                )

    def test_secrets_need_not_be_there_before_it_runs(
        self, bench: Bench, with_secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An action is created where its secrets are not known, since only workers have them."""
        bench.created(name="where-secrets-are-known")
        for name in with_secrets:
            monkeypatch.delenv(name)
        try:
            bench.create()
        except Exception as error:
            fail(
                f"The action cannot be created where its secrets are not set: {in_words(error)}",
                mend="read secrets in `run`, where the configuration holds them.",
            )

    def test_secrets_are_not_shown_by_its_configuration(
        self, bench: Bench, with_secrets: dict[str, str], configuration: Configuration
    ) -> None:
        """A configuration with its secrets resolved shows none of them as text or as JSON."""
        config = resolve_references(bench.handler.validate_action_configuration(configuration))
        shown = {"repr": repr(config), "str": str(config), "model_dump_json": config.model_dump_json()}
        for how, text in shown.items():
            if _told(text, with_secrets):
                fail(
                    f"{how} of {type(config).__name__} shows a secret.",
                    mend="leave __repr__, __str__ and the serializers of secrets as pydantic has them.",
                )

    def test_secrets_are_not_in_what_is_kept(self, bench: Bench, with_secrets: dict[str, str], tmp_path: Path) -> None:
        """Neither responses nor anything in the store, its file included, hold a secret after a run."""
        execution = bench.succeeded()
        responses = {
            "the execution": execution.model_dump_json() + repr(execution),
            "the action": bench.app.actions.get("conformance").model_dump_json(),
            "the history": repr(bench.app.actions.history("conformance")),
        }
        places = [what for what, text in responses.items() if _told(text, with_secrets)]
        for file in tmp_path.glob("actium.db*"):
            content = file.read_bytes()
            places += [f"the store's {file.name}" for value in with_secrets.values() if value.encode() in content]
        if places:
            fail(
                f"A secret of {self.key} is in {', '.join(sorted(set(places)))}.",
                mend="keep references or hashes of secrets in resources and labels, never the secrets.",
            )

    def test_secrets_are_not_logged_or_printed(
        self,
        bench: Bench,
        with_secrets: dict[str, str],
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """No log of any level, and nothing that is printed, holds a secret during an action's whole life."""
        caplog.set_level(logging.DEBUG)
        bench.succeeded()
        bench.app.actions.delete("conformance")
        printed = capfd.readouterr()
        places = {"a log": caplog.text, "standard output": printed.out, "standard error": printed.err}
        told = [what for what, text in places.items() if _told(text, with_secrets)]
        if told:
            fail(
                f"A secret of {self.key} is in {', '.join(told)}.",
                mend="log and print the configuration, not its secrets.",
            )


def _told(text: str, secrets: dict[str, str]) -> bool:
    return any(value in text for value in secrets.values())


def _plain_secrets(model: type[BaseModel], above: frozenset[type]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kinds = set(_kinds(field.annotation))
        if _NAMED_LIKE_A_SECRET.search(name) and kinds & {str, bytes} and SecretStr not in kinds:
            yield name
        for kind in kinds - above:
            if issubclass(kind, BaseModel) and kind is not model:
                yield from (f"{name}.{path}" for path in _plain_secrets(kind, above | {model}))


def _kinds(annotation: object) -> Iterator[type]:
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for argument in get_args(annotation):
        yield from _kinds(argument)


def _secret_places(bench: Bench, configuration: Configuration) -> list[tuple[int | str, ...]]:
    config = bench.handler.validate_action_configuration(configuration)
    return [tuple(place) for place, value in leaves(config) if isinstance(value, SecretStr)]


def _replaced(configuration: Configuration, place: tuple[int | str, ...], value: str) -> Configuration | None:
    """The configuration with another value at a place; None where the caller's has no such place, as with an alias."""
    changed = copy.deepcopy(configuration)
    inner: Any = changed
    try:
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]]
    except (KeyError, IndexError, TypeError):
        return None
    inner[place[-1]] = value
    return changed
