"""``actium action``: stored configurations of flavors."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from actium_cli import listing
from actium_cli.context import current_app, output
from actium_cli.creation import FromFile, NewName, changes, create, told, warn_of
from actium_cli.run_policies import policy_of, taking_run_policy

PANEL = "Configure"
app = typer.Typer(help="Actions: stored, named configurations of one flavor.", no_args_is_help=True)


class TraceChoice(StrEnum):
    """The values of ``--keep-trace``; `actium.models.TraceMode` explains them."""

    OFF = "off"
    ON_FAILURE = "on_failure"
    ON = "on"


Reference = Annotated[str, typer.Argument(metavar="ACTION", help="Its name or id, or a unique beginning of either.")]
Account = Annotated[str | None, typer.Option(metavar="ACCOUNT", help="The service account that it runs as.")]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="What it is for.")]
Configuration = Annotated[
    str | None, typer.Option("--config", metavar="JSON", help="The whole configuration: JSON, @FILE, or - for stdin.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="A field, e.g. run_config.parameters.lr=0.1. May be given several times."
    ),
]
AuthWindow = Annotated[
    int | None, typer.Option(min=0, metavar="MINUTES", help="How long an execution's token is valid; 0 is no limit.")
]
KeepTrace = Annotated[
    TraceChoice | None,
    typer.Option(
        "--keep-trace",
        metavar="MODE",
        help="When traces of its attempts are kept: off, on_failure (the default) or on; see `actium execution trace`.",
    ),
]
Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="NAME=TEXT", help="A label. May be given several times.")
]


@app.command("create")
@taking_run_policy
def create_action(
    name: NewName = None,
    flavor: Annotated[
        str | None, typer.Option(metavar="SUBTYPE.FLAVOR", help="What it is made of; see `actium flavor list`.")
    ] = None,
    account: Account = None,
    settings: Settings = None,
    configuration: Configuration = None,
    description: Description = None,
    auth_window: AuthWindow = None,
    labels: Labels = None,
    keep_trace: KeepTrace = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Create it switched off.")] = False,
    file: FromFile = None,
    *,
    policy: dict[str, Any],
) -> None:
    """Create an action, from options or from a file."""
    from actium_cli.configuring import configuration_of, labels_of

    if file is None and name is not None and (flavor is None or account is None):
        raise typer.BadParameter("An action needs a flavor and a service account.", param_hint="--flavor, --account")
    create(
        "action",
        file,
        {
            "name": name,
            "flavor": flavor,
            "service_account": account,
            "configuration": configuration_of(None, whole=configuration, settings=settings, unset=None),
            "description": description,
            "auth_window": auth_window,
            "labels": labels_of(labels),
            "enabled": False if disabled else None,
            "run_policy": policy_of(None, policy),
            "trace": keep_trace,
        },
        missing="Give the action's name, or -f and a file.",
    )


@app.command("list")
def list_actions(
    where: listing.Where = None,
    sort: listing.Sort = None,
    page: listing.PageNumber = 1,
    page_size: listing.PageSize = 20,
) -> None:
    """List actions, each with its problem where it has one."""
    from actium.models import ActionFilter
    from actium_cli.action_views import action_table

    asked = listing.listing_filter(ActionFilter, where=where, sort=sort, page=page, page_size=page_size)
    with current_app() as actium:
        actions = actium.actions.list(asked)
    output(actions, lambda: action_table(actions))


@app.command("show")
def show_action(reference: Reference) -> None:
    """Show an action: its configuration, its run policy, and what it refers to."""
    from actium_cli.action_views import action_details

    with current_app() as actium:
        action = actium.actions.get(reference)
    output(action, lambda: action_details(action))


@app.command("update")
@taking_run_policy
def update_action(
    reference: Reference,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="A new name.")] = None,
    account: Account = None,
    settings: Settings = None,
    unset: Annotated[list[str] | None, typer.Option(metavar="PATH", help="A field to take away.")] = None,
    configuration: Configuration = None,
    description: Description = None,
    auth_window: AuthWindow = None,
    default_auth_window: Annotated[
        bool, typer.Option("--default-auth-window", help="Leave the auth window to the flavor again.")
    ] = False,
    labels: Labels = None,
    keep_trace: KeepTrace = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether it runs.", show_default=False)
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Refuse if the action has changed since this version.")
    ] = None,
    default_run_policy: Annotated[
        bool, typer.Option("--default-run-policy", help="Take back the run policy, but for what is given with this.")
    ] = False,
    *,
    policy: dict[str, Any],
) -> None:
    """Change an action: --set and --unset single fields of its configuration, --config the whole.

    The options of its run policy change what they name, and leave the others.
    """
    from actium.models import ActionUpdate
    from actium_cli.configuring import configuration_of, labels_of

    with current_app() as actium:
        present = actium.actions.get(reference)
        changed = changes(
            name=name,
            service_account_id=None if account is None else actium.accounts.get(account).id,
            configuration=configuration_of(present.configuration, whole=configuration, settings=settings, unset=unset),
            description=description,
            auth_window=auth_window,
            labels=labels_of(labels),
            enabled=enabled,
            run_policy=policy_of(None if default_run_policy else present.run_policy, policy),
            trace=keep_trace,
        )
        if default_auth_window:
            changed["auth_window"] = None
        if default_run_policy and not policy:
            changed["run_policy"] = None
        if not changed:
            raise typer.BadParameter("Give at least one option that says what to change.", param_hint="ACTION")
        action = actium.actions.update(present.id, ActionUpdate(**changed, version=version or present.version))
    warn_of([action])
    output(action, lambda: told("Updated", "action", action))


@app.command("delete")
def delete_action(
    reference: Reference,
    force: Annotated[
        bool, typer.Option("--force", help="Remove it even if its flavor cannot give back what it provisioned.")
    ] = False,
    cascade: Annotated[bool, typer.Option("--cascade", help="Remove the triggers that use it, too.")] = False,
) -> None:
    """Delete an action that no trigger uses."""
    with current_app() as actium:
        action = actium.actions.get(reference, hydrate=False)
        actium.actions.delete(action.id, force=force, cascade=cascade)
    output({"deleted": action.id, "name": action.name}, lambda: told("Deleted", "action", action))


@app.command("run")
def run_action(
    reference: Reference,
    data: Annotated[
        str | None, typer.Option(metavar="JSON", help="What its event carries: JSON, @FILE, or - for stdin.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Run it here and now, or leave it to a worker.")
    ] = True,
) -> None:
    """Run an action by hand. Ctrl-C cancels it; exit code 1 when it does not succeed."""
    from actium_cli.running import run_by_hand

    run_by_hand(reference, data, wait=wait)


@app.command("history")
def show_history(reference: Reference) -> None:
    """Show every usable state that an action was in, and who changed what. A deleted one is found by its id."""
    from actium_cli.action_views import history_table

    with current_app() as actium:
        revisions = actium.actions.history(reference)
    output(list(revisions), lambda: history_table(revisions))
