"""``actium account``: on whose behalf actions run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from actium_cli import listing
from actium_cli.context import current_app, output
from actium_cli.creation import FromFile, NewName, changes, create, told

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from actium.models import Page, ServiceAccountResponse

PANEL = "Configure"
app = typer.Typer(help="Service accounts: on whose behalf actions run.", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its name or id, or a unique beginning of either.")]


@app.command("create")
def create_account(
    name: NewName = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    inactive: Annotated[bool, typer.Option("--inactive", help="Create it switched off.")] = False,
    file: FromFile = None,
) -> None:
    """Create a service account, from options or from a file."""
    create(
        "account",
        file,
        {"name": name, "description": description, "active": False if inactive else None},
        missing="Give the account's name, or -f and a file.",
    )


@app.command("list")
def list_accounts(
    where: listing.Where = None,
    sort: listing.Sort = None,
    page: listing.PageNumber = 1,
    page_size: listing.PageSize = 20,
) -> None:
    """List service accounts."""
    from actium.models import ServiceAccountFilter

    asked = listing.listing_filter(ServiceAccountFilter, where=where, sort=sort, page=page, page_size=page_size)
    with current_app() as actium:
        accounts = actium.accounts.list(asked)
    output(accounts, lambda: _table(accounts))


@app.command("show")
def show_account(reference: Reference) -> None:
    """Show a service account."""
    with current_app() as actium:
        account = actium.accounts.get(reference)
    output(account, lambda: _details(account))


@app.command("update")
def update_account(
    reference: Reference,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="A new name.")] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is for.")] = None,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Whether executions may act as it.", show_default=False)
    ] = None,
) -> None:
    """Change a service account; switching it off takes effect at the next execution."""
    from actium.models import ServiceAccountUpdate

    update = ServiceAccountUpdate(**changes(name=name, description=description, active=active))
    with current_app() as actium:
        account = actium.accounts.update(reference, update)
    output(account, lambda: told("Updated", "account", account))


@app.command("delete")
def delete_account(reference: Reference) -> None:
    """Delete a service account that no action uses."""
    with current_app() as actium:
        account = actium.accounts.get(reference, hydrate=False)
        actium.accounts.delete(account.id)
    output({"deleted": account.id, "name": account.name}, lambda: told("Deleted", "account", account))


def _table(accounts: Page[ServiceAccountResponse]) -> RenderableType:
    from actium_cli import views

    return views.paged(
        accounts,
        views.table(
            ["NAME", "STATE", "CREATED", "ID"],
            [
                (account.name, _state(account), views.ago(account.body.created), views.short_id(account.id))
                for account in accounts.items
            ],
            empty="There are no service accounts; `actium account create NAME` makes one.",
        ),
    )


def _details(account: ServiceAccountResponse) -> RenderableType:
    from actium_cli import views

    return views.fields(
        [
            ("name", account.name),
            ("id", str(account.id)),
            ("state", _state(account)),
            ("description", account.description),
            ("project", account.body.project),
            ("created", views.when(account.body.created)),
            ("updated", views.when(account.body.updated)),
            ("version", str(account.version)),
        ]
    )


def _state(account: ServiceAccountResponse) -> Text:
    from actium_cli import views

    return views.state("active" if account.active else "inactive")
