"""``actium flavor``: what actions can be made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actium_cli.context import current_options, output
from actium_cli.logs import without_warnings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium.models import ActionFlavorResponse
    from actium.plugins.installed import PluginStatus
    from actium.plugins.registry import PluginFlavorRegistry

PANEL = "Look after an installation"
app = typer.Typer(help="What actions can be made of: the installed flavors.", no_args_is_help=True)


@app.command("list")
def list_flavors(
    subtype: Annotated[str | None, typer.Option(metavar="NAME", help="Only flavors of this subtype.")] = None,
) -> None:
    """List the installed flavors. No plugin is imported for it."""
    statuses = [
        status
        for status in _registry().statuses("action")
        if subtype is None or status.name.partition(".")[0] == subtype
    ]
    output([_as_data(status) for status in statuses], lambda: _table(statuses))


@app.command("show")
def show_flavor(
    key: Annotated[str, typer.Argument(metavar="SUBTYPE.FLAVOR", help="The flavor's key.")],
) -> None:
    """Show a flavor: where it comes from, and what its configuration takes."""
    from actium.app.flavors import Flavors

    with without_warnings("actium.plugins"):
        flavor = Flavors(_registry()).get(key)
    output(flavor, lambda: _details(flavor))


def _registry() -> PluginFlavorRegistry:
    from actium.plugins.registry import PluginFlavorRegistry

    return PluginFlavorRegistry.from_environment(blocked=current_options().blocked)


def _as_data(status: PluginStatus) -> dict[str, object]:
    return {
        "name": status.name,
        "distribution": status.origin.distribution,
        "version": status.origin.version,
        "state": status.state,
        "problem": status.problem,
    }


def _table(statuses: list[PluginStatus]) -> RenderableType:
    from actium_cli import views

    return views.table(
        ["FLAVOR", "STATE", "DISTRIBUTION", "VERSION"],
        [
            (status.name, views.state(status.state), status.origin.distribution, status.origin.version)
            for status in statuses
        ],
        empty="No flavors are installed; `pip install` a distribution that provides some.",
    )


def _details(flavor: ActionFlavorResponse) -> RenderableType:
    from actium_cli import views

    body = flavor.body
    origin = "made in code" if body.distribution is None else f"{body.distribution} {body.version}"
    shown = views.fields(
        [("flavor", flavor.name), ("state", views.state(body.state)), ("from", origin), ("problem", body.problem)]
    )
    if flavor.metadata is None:
        return shown
    return views.sections(
        shown,
        {
            "Description": flavor.metadata.description or None,
            "Configuration": _settings_table(flavor.metadata.config_schema),
        },
    )


def _settings_table(schema: dict[str, Any]) -> RenderableType:
    from actium_cli import views

    required = set(schema.get("required", ()))
    definitions = schema.get("$defs", {})
    return views.table(
        ["FIELD", "TYPE", "DEFAULT", "MEANING"],
        [
            (
                name,
                _type_in_words(field, definitions),
                "(required)" if name in required else _default_in_words(field),
                field.get("description", "").replace("\n", " "),
            )
            for name, field in schema.get("properties", {}).items()
        ],
        empty="It takes no configuration.",
    )


def _type_in_words(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type_in_words(option, definitions) for option in field["anyOf"])
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        return " or ".join(map(str, definitions.get(name, {}).get("enum", ()))) or name
    if "enum" in field:
        return " or ".join(map(str, field["enum"]))
    if field.get("type") == "array" and "items" in field:
        return f"list of {_type_in_words(field['items'], definitions)}"
    kind = field.get("type", "anything")
    return str(field.get("format", kind) if kind == "string" else kind)


def _default_in_words(field: dict[str, Any]) -> str:
    default = field.get("default")
    return "" if default is None else json.dumps(default, ensure_ascii=False)
