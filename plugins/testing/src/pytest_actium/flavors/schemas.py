"""Rules of what a flavor says of itself: its description and the schema of its configurations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema.exceptions import SchemaError
from jsonschema.validators import Draft202012Validator, validator_for

from actium.models import ActionFlavorResponse
from pytest_actium.flavors.subject import Bench, Configuration, FlavorSubject
from pytest_actium.verdicts import fail


class SchemaRules(FlavorSubject):
    """What a flavor says of itself."""

    @pytest.fixture
    def description(self, bench: Bench) -> ActionFlavorResponse:
        """The flavor as listings show it."""
        return bench.app.flavors.get(bench.key)

    @pytest.fixture
    def schema(self, description: ActionFlavorResponse) -> dict[str, Any]:
        """The schema of its configurations."""
        return description.get_metadata().config_schema

    def test_it_has_a_description(self, description: ActionFlavorResponse) -> None:
        """The flavor says in a sentence what it does."""
        if not description.get_metadata().description.strip():
            fail(
                f"{self.key} has no description, which `actium flavor list` shows.",
                mend="give the flavor class, or the decorated function, a docstring.",
            )

    def test_its_schema_is_a_json_schema(self, schema: dict[str, Any]) -> None:
        """The schema of its configurations is valid JSON Schema, which forms and editors are made from."""
        try:
            validator_for(schema, default=Draft202012Validator).check_schema(schema)
        except SchemaError as error:
            fail(
                f"The schema of {self.key} is no JSON Schema at {error.json_path}: {error.message}",
                mend="correct what the config model adds to it, in json_schema_extra or __get_pydantic_json_schema__.",
            )

    def test_its_schema_is_the_same_everywhere(self, schema: dict[str, Any], found: dict[str, Any]) -> None:
        """The schema is the same in every process, so that what one shows fits what another checks."""
        if schema != found["schema"]:
            differing = [name for name in schema if schema[name] != found["schema"].get(name)]
            fail(
                f"The schema of {self.key} differs in another process, in {', '.join(differing)}.",
                mend="compute no default or choice while the module is imported; use default_factory.",
            )

    def test_every_field_has_a_description(self, schema: dict[str, Any]) -> None:
        """Every field says what it is for, those of nested models as well."""
        silent = [path for path, field in _fields(schema) if not str(field.get("description", "")).strip()]
        if silent:
            fail(
                f"These fields of {self.key} have no description: {', '.join(silent)}.",
                mend='write `name: str = Field(description="...")`, or docstrings below the fields and '
                "use_attribute_docstrings=True in model_config.",
            )

    def test_its_schema_takes_what_is_valid(self, schema: dict[str, Any], configuration: Configuration) -> None:
        """The schema takes the valid configuration, as the flavor does."""
        try:
            problems = list(validator_for(schema, default=Draft202012Validator)(schema).iter_errors(configuration))
        except SchemaError:
            pytest.skip("it is no JSON Schema")
        except Exception as error:
            pytest.skip(f"it cannot be used: {error}")
        if problems:
            told = "; ".join(f"{problem.json_path}: {problem.message}" for problem in problems)
            fail(
                f"The schema of {self.key} refuses the valid configuration: {told[:1_000]}",
                mend="let the model's schema say what its validators take, or correct VALID.",
            )


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    models = {"": schema, **{f"{name}.": model for name, model in schema.get("$defs", {}).items()}}
    for name, model in models.items():
        for field, described in model.get("properties", {}).items():
            yield f"{name}{field}", described
