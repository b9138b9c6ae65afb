"""The directive ``flavor``: what an installed flavor's configuration takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sphinx.util.docutils import SphinxDirective

from actium.app.flavors import Flavors
from actium.plugins.registry import PluginFlavorRegistry

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

Schema = dict[str, Any]


class FlavorTable(SphinxDirective):
    """Tells a flavor's fields, those of nested models by their path."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Make the description and the table of a flavor's fields."""
        key = self.arguments[0]
        flavor = Flavors(PluginFlavorRegistry.from_environment()).get(key)
        if flavor.metadata is None:
            raise self.error(f"{key} cannot be loaded: {flavor.body.problem}")
        schema = flavor.metadata.config_schema
        rows = [
            f"| {' | '.join(row)} |" for row in fields(schema, schema.get("$defs", {}))
        ]
        lines = [flavor.metadata.description, ""]
        if rows:
            lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
        return self.parse_text_to_nodes("\n".join([*lines, *rows]))


def fields(
    schema: Schema, models: dict[str, Schema], above: str = ""
) -> Iterator[tuple[str, str, str, str]]:
    """The rows of a model's fields: path, type, default, meaning."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in required else default_in_words(field)
        meaning = field.get("description", "").replace("\n", " ").replace("|", "\\|")
        yield f"`{above}{name}`", type_in_words(field, models), default, meaning
        nested = models.get(str(field.get("$ref", "")).rpartition("/")[2], {})
        if "properties" in nested:
            yield from fields(nested, models, f"{above}{name}.")


def default_in_words(field: Schema) -> str:
    """A default as JSON; nothing where a field may be left out."""
    default = field.get("default")
    return (
        ""
        if default in (None, [], {})
        else f"`{json.dumps(default, ensure_ascii=False)}`"
    )


def type_in_words(field: Schema, models: dict[str, Schema]) -> str:
    """What a field takes."""
    if "anyOf" in field:
        told = [type_in_words(option, models) for option in field["anyOf"]]
        return " or ".join(each for each in told if each != "null")
    if "$ref" in field:
        model = models.get(str(field["$ref"]).rpartition("/")[2], {})
        if "enum" in model:
            return type_in_words(model, models)
        return "object" if "properties" in model else "any JSON"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {type_in_words(field.get('items', {}), models)}"
    if field.get("writeOnly"):
        return "reference to a secret"
    kind = field.get("type", "anything")
    return {"string": "text", "integer": "whole number"}.get(kind, kind)


def setup(app: Sphinx) -> None:
    """Add the directive."""
    app.add_directive("flavor", FlavorTable)
