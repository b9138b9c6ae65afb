"""What is read of plugins: what is installed, what is wrong with it, and who is called when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from actium_cli import views

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium_cli.hook_calls import ShownCall
    from actium_cli.plugin_check import CheckedPlugin

ORDER = (
    "Called from top to bottom; wrappers are left from bottom to top. Of equals, what was enabled later is called "
    "earlier, and with trylast later."
)
INDENT = (0, 0, 0, 2)
NONE_INSTALLED = "No plugins are installed. `pip install` a distribution that provides some, e.g. actium-pipeline-run."


def listed(plugins: Sequence[CheckedPlugin], *, loaded: bool) -> RenderableType:
    """Plugins in a table; with what only importing them tells, where they were imported."""
    if loaded:
        columns = ["NAME", "KIND", "STATE", "IMPORT", "DISTRIBUTION", "HOOKS"]
        return views.table(columns, map(_loaded_row, plugins), empty=NONE_INSTALLED)
    columns = ["NAME", "KIND", "STATE", "DISTRIBUTION", "VERSION"]
    rows = [(each.name, each.kind, _state(each), each.distribution, each.version) for each in plugins]
    return views.table(columns, rows, empty=NONE_INSTALLED)


def checked(plugins: Sequence[CheckedPlugin]) -> RenderableType:
    """Plugins in a table, below it what is wrong with them, and how many are well."""
    told = list(_told(plugins))
    broken = sum(plugin.is_broken for plugin in plugins)
    well = sum(plugin.state == "loaded" and not plugin.is_broken for plugin in plugins)
    summary = Text(f"{views.counted(well, 'plugin')} of {len(plugins):,} loaded and without a fault.")
    if broken:
        summary = Text(f"{broken:,} of {views.counted(len(plugins), 'plugin')} not as they should be.", style="red")
    return Group(listed(plugins, loaded=True), *told, "", summary) if plugins else listed(plugins, loaded=True)


def problems(plugin: CheckedPlugin) -> Iterator[RenderableType]:
    """What is wrong with a plugin, what to do about it, and where it comes from."""
    if plugin.state == "quarantined":
        yield Padding(Text(plugin.problem or ""), INDENT)
        if plugin.traceback is not None:
            yield Padding(Text(plugin.traceback, style="dim"), (0, 0, 0, 4))
        if plugin.hint is not None:
            yield Padding(Text(plugin.hint, style="cyan"), INDENT)
    for conflict in plugin.conflicts:
        yield Padding(Text(conflict.problem), INDENT)
        yield Padding(Text(conflict.remedy, style="cyan"), INDENT)
    for note in plugin.notes:
        yield Padding(Text(note, style="yellow"), INDENT)


def called(calls: Sequence[ShownCall]) -> RenderableType:
    """Who is called in each hook, the first above."""
    if not calls:
        return Text("No enabled hook plugin takes part in it. --all also shows those that are not enabled.")
    parts: list[RenderableType] = []
    for hook in dict.fromkeys(call.hook for call in calls):
        rows = [_call_row(call) for call in calls if call.hook == hook]
        table = views.table(["PLUGIN", "CALLED AS", "WHY HERE", "DISTRIBUTION"], rows)
        parts += ["", Text(hook, style="bold"), Padding(table, INDENT)]
    return Group(*parts[1:], "", Text(ORDER, style="dim"))


def _told(plugins: Sequence[CheckedPlugin]) -> Iterator[RenderableType]:
    before: set[object] = set()  # what several plugins of a distribution, or of one name, share is told once
    for plugin in plugins:
        own = {*plugin.conflicts, *plugin.notes, *([plugin.problem] if plugin.state == "quarantined" else [])}
        told = list(problems(plugin)) if own - before else []
        before |= own
        if told:
            mark = ("✗ ", "bold red") if plugin.is_broken else ("! ", "bold yellow")
            yield ""
            yield Text.assemble(mark, (plugin.name, "bold"))
            yield from told


def _call_row(call: ShownCall) -> Sequence[views.Cell]:
    distribution = " ".join(filter(None, (call.distribution, call.version)))
    style = "" if call.is_enabled else "dim"
    return [Text(cell, style=style) for cell in (call.plugin, call.position, "; ".join(call.reasons), distribution)]


def _loaded_row(plugin: CheckedPlugin) -> Sequence[views.Cell]:
    distribution = " ".join(filter(None, (plugin.distribution, plugin.version)))
    seconds = plugin.import_seconds
    took = None if seconds is None else f"{seconds * 1000:,.0f} ms"
    return plugin.name, plugin.kind, _state(plugin), took, distribution, ", ".join(plugin.hooks)


def _state(plugin: CheckedPlugin) -> Text:
    return Text(plugin.state, style="red") if plugin.is_broken else views.state(plugin.state)
