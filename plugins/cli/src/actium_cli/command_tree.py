"""Commands that are imported only when they are called or help is shown: Actium's own, and those that plugins add."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from actium.errors import ActiumError, PluginError, PluginQuarantinedError
from actium_cli.invocation import prepared
from actium_cli.standard_output import kept_stdout

if TYPE_CHECKING:
    from actium.plugins.installed import PluginStatus

OWN_COMMANDS = (
    "action",
    "trigger",
    "account",
    "event",
    "execution",
    "worker",
    "flavor",
    "plugin",
    "doctor",
    "prune",
    "new",
)
"""The commands of `actium_cli.commands`, in the order that help shows them."""

PLUGINS_PANEL = "Commands of plugins"

_COMPLETION = frozenset({"install_completion", "show_completion"})
"""What Typer adds to every app; here only ``actium`` itself needs it."""


class CommandTree(TyperGroup):
    """The commands of ``actium``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Let ``--trace`` stand alone: what follows it is never its value, which only ``--trace=...`` gives."""
        ended = args.index("--") if "--" in args else len(args)
        alone = [f"{arg}=1" if arg == "--trace" else arg for arg in args[:ended]]
        return super().parse_args(ctx, [*alone, *args[ended:]])

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, in the order that help shows them."""
        found = {status.name for status in found_commands(_blocked(ctx)) if status.state != "blocked"}
        return [*OWN_COMMANDS, *sorted(found.difference(OWN_COMMANDS))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; one that is broken becomes a command that tells so."""
        if cmd_name in OWN_COMMANDS:
            module = import_module(f"actium_cli.commands.{cmd_name}")
            return _made(prepared(module.app), cmd_name, module.PANEL)
        claims = [status for status in found_commands(_blocked(ctx)) if status.name == cmd_name]
        if not claims:
            return None
        try:
            return _made(prepared(load_command(cmd_name, claims)), cmd_name, PLUGINS_PANEL)
        except ActiumError as error:
            return _made(prepared(_broken(error)), cmd_name, PLUGINS_PANEL)


def found_commands(blocked: Sequence[str]) -> tuple[PluginStatus, ...]:
    """The commands that plugins add, without importing them."""
    from actium.plugins.registry import PluginFlavorRegistry

    return PluginFlavorRegistry.from_environment(blocked=blocked).statuses("commands")


def load_command(name: str, claims: Sequence[PluginStatus]) -> typer.Typer:
    """Import a command that a plugin adds.

    Raises:
        PluginError: It is blocked, broken, or claimed twice.
    """
    open_claims = [claim for claim in claims if claim.state != "blocked"]
    if not open_claims:
        raise claims[0].error or PluginError(f"The command {name!r} is blocked.")
    if name in OWN_COMMANDS or len(open_claims) > 1:
        others = ["actium-cli itself"] if name in OWN_COMMANDS else []
        raise PluginError(
            f"The command {name!r} is claimed by {' and by '.join([*others, *map(_claimant, open_claims)])}.",
            hint="Uninstall one of them, or block it by the name of its distribution (-p no:NAME).",
        )
    return _imported(open_claims[0])


def _imported(claim: PluginStatus) -> typer.Typer:
    from actium.plugins.installed import in_words

    module, _, attribute = claim.value.partition(":")
    try:
        with kept_stdout():
            loaded: object = import_module(module.strip())
            for part in attribute.split(".") if attribute else ():
                loaded = getattr(loaded, part.strip())
            if not isinstance(loaded, typer.Typer):
                raise TypeError(f"{claim.value} is an object of {type(loaded).__name__}, not a typer.Typer")
            typer.main.get_command(loaded)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # help, and every other command, must not end with one that is broken
        raise PluginQuarantinedError(
            f"The command {claim.name!r} of {claim.origin.distribution} {claim.origin.version} is broken: "
            f"{in_words(error)}.",
            hint=f"Upgrade or `pip uninstall {claim.origin.distribution}`.",
        ) from error
    return loaded


def _claimant(claim: PluginStatus) -> str:
    return f"{claim.origin.distribution} {claim.origin.version} ({claim.value})"


def _broken(error: ActiumError) -> typer.Typer:
    """A command that does nothing but tell why it cannot be used."""
    app = typer.Typer()

    @app.command(
        help=f"(broken) {error.message}",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def tell() -> None:
        raise error

    return app


def _made(app: typer.Typer, name: str, panel: str) -> Any:
    command: Any = typer.main.get_command(app)
    command.name = name
    command.rich_help_panel = panel
    command.params = [parameter for parameter in command.params if parameter.name not in _COMPLETION]
    return command


def _blocked(ctx: Any) -> tuple[str, ...]:
    return tuple(ctx.params.get("blocked") or ())
