"""What is wrong with an installation: its plugins first, and then the store, which opens only if these let it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from actium.app.doctor import Finding
from actium.errors import ActiumError, PluginError
from actium.stores.urls import shown_url
from actium_cli.context import current_app, current_options
from actium_cli.logs import without_warnings
from actium_cli.plugin_check import METADATA, CheckedPlugin, check

CHECK = "`actium plugin check` shows where it comes from."


def examined(*, mend: bool, grace: timedelta, watch: timedelta) -> list[Finding]:
    """All that is wrong.

    Args:
        mend: Whether to mend what a crash left behind.
        grace: How long a change of an action may take before it counts as left behind.
        watch: For how long to wait at most for signs of life of workers on other machines.
    """
    options = current_options()
    plugins = check(options.blocked, debug=options.debug)
    found = list(dict.fromkeys(finding for plugin in plugins for finding in _plugin(plugin)))
    try:
        with without_warnings("actium.plugins"), current_app() as actium:
            return [*found, *actium.doctor.examine_store(mend=mend, grace=grace, watch=watch, on_wait=_tell)]
    except ActiumError as error:
        if isinstance(error, PluginError) and error.message in {finding.problem for finding in found}:
            return [*found, _unexamined(options.store)]
        return [*found, _unopened(options.store, error)]


def _tell(seconds: float) -> None:
    from actium_cli.output import stderr_console

    stderr_console().print(f"Waiting up to {seconds:.0f} s for signs of life of workers on other machines ...")


def _plugin(plugin: CheckedPlugin) -> Iterator[Finding]:
    origin = " ".join(filter(None, (plugin.distribution, plugin.version)))
    if plugin.state == "quarantined":
        broken = f"{plugin.kind} plugin {plugin.name} ({origin})" if origin else plugin.name
        yield Finding(
            what=f"distribution {origin or plugin.name}" if plugin.kind == METADATA else broken,
            problem=plugin.problem or "It is quarantined.",
            remedy=" ".join(filter(None, (plugin.hint, CHECK if plugin.traceback else None))) or CHECK,
        )
    what = {
        "requirements": f"distribution {origin}",
        "order": "order of hook plugins",
        "code": f"{plugin.kind} plugin {plugin.name} ({origin})",
    }
    for conflict in plugin.conflicts:
        yield Finding(what=what[conflict.about], problem=conflict.problem, remedy=conflict.remedy)


def _unopened(store: str, error: ActiumError) -> Finding:
    return Finding(
        what=f"store {shown_url(store)}",
        problem=f"It cannot be opened: {error.message}",
        remedy=error.hint or "See --store and ACTIUM_STORE.",
    )


def _unexamined(store: str) -> Finding:
    return Finding(
        what=f"store {shown_url(store)}",
        problem="It was not looked at: an enabled hook plugin is broken, and nothing opens without it.",
        remedy="Take it out of ACTIUM_HOOKS, or mend it as told above; then ask again.",
    )
