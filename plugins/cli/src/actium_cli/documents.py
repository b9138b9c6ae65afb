"""Accounts, actions and triggers as files describe them, and their creation: all documents of a file or none.

A document has a ``kind`` (``account``, ``action`` or ``trigger``) and the fields of the request of that kind, with
names where the request has ids: an action's ``flavor`` is ``subtype.flavor`` and its ``service_account`` a name, a
trigger's ``action`` is a name. What options ask for becomes such a document, too.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actium.errors import ActiumError, InvalidInputError
from actium_cli.yaml_text import NotReadableError, read_documents

if TYPE_CHECKING:
    from actium import Actium
    from actium.models import ActionResponse, ServiceAccountResponse, TriggerResponse

    Created = ServiceAccountResponse | ActionResponse | TriggerResponse


@dataclass(frozen=True, slots=True)
class Document:
    """What is to be created.

    Attributes:
        kind: ``account``, ``action`` or ``trigger``.
        fields: Its fields, as the module's text tells them.
        where: Where it stands, None for one made of options.
    """

    kind: str
    fields: Mapping[str, Any]
    where: str | None = None


def read_file(path: Path, *, default_kind: str) -> list[Document]:
    """Read what a YAML or JSON file describes; ``-`` is standard input.

    Raises:
        InvalidInputError: It is no such file, or a document has no known kind.
    """
    return [_document(fields, default_kind, where) for fields, where in read_objects(path)]


def read_objects(path: Path) -> list[tuple[Mapping[str, Any], str]]:
    """Read the objects of a YAML or JSON file, each with where it stands; lists of objects count as objects each.

    Raises:
        InvalidInputError: It cannot be read, or holds something else.
    """
    name = "standard input" if str(path) == "-" else str(path)
    try:
        found = list(read_documents(_text(path)))
    except (NotReadableError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{name} cannot be read as YAML or JSON: {error}.") from error
    found = [item for document in found for item in (document if isinstance(document, list) else [document])]
    if not found:
        raise InvalidInputError(f"{name} is empty.", hint="It should hold objects with fields.")
    places = [name] if len(found) == 1 else [f"{name}, document {number}" for number in range(1, len(found) + 1)]
    for fields, where in zip(found, places, strict=True):
        if not isinstance(fields, dict):
            raise InvalidInputError(f"{where} is not an object with fields, but {fields!r:.60}.")
    return list(zip(found, places, strict=True))


def create_all(app: Actium, documents: Sequence[Document]) -> list[Created]:
    """Create what documents describe, in their order; where one fails, those before it are removed again.

    Raises:
        ActiumError: As the application raises it, with a note that says in which document.
    """
    created: list[tuple[str, Created]] = []
    for document in documents:
        try:
            created.append((document.kind, _KINDS[document.kind](app, document.fields)))
        except BaseException as error:
            if document.where is not None:
                error.add_note(f"This is in {document.where}.")
            _remove(app, created, error)
            raise
    return [response for _, response in created]


def action_fields(app: Actium, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request for an action, with ids where a document has names."""
    request = dict(fields)
    flavor = request.get("flavor")
    if isinstance(flavor, str) and "plugin_subtype" not in request:
        subtype, dot, name = flavor.partition(".")
        if not dot:
            raise InvalidInputError(
                f"{flavor!r} is no flavor key.", hint="Write subtype.flavor, as `actium flavor list` shows."
            )
        request.update(plugin_subtype=subtype, flavor=name)
    if "service_account" in request:
        request["service_account_id"] = app.accounts.get(_reference(request.pop("service_account"))).id
    return _in_project(app, request)


def _create_account(app: Actium, fields: Mapping[str, Any]) -> Created:
    from actium.models import ServiceAccountRequest

    return app.accounts.create(ServiceAccountRequest(**_in_project(app, fields)))


def _create_action(app: Actium, fields: Mapping[str, Any]) -> Created:
    from actium.models import ActionRequest

    return app.actions.create(ActionRequest(**action_fields(app, fields)))


def _create_trigger(app: Actium, fields: Mapping[str, Any]) -> Created:
    from actium.models import TriggerRequest

    request = _in_project(app, fields)
    if "action" in request:
        request["action_id"] = app.actions.get(_reference(request.pop("action")), hydrate=False).id
    return app.triggers.create(TriggerRequest(**request))


_KINDS: Mapping[str, Callable[[Actium, Mapping[str, Any]], Created]] = {
    "account": _create_account,
    "action": _create_action,
    "trigger": _create_trigger,
}


def _remove(app: Actium, created: Sequence[tuple[str, Created]], error: BaseException) -> None:
    """Remove what was created before the error; what cannot be removed is told beside it."""
    remove: Mapping[str, Callable[[Any], None]] = {
        "account": app.accounts.delete,
        "action": app.actions.delete,
        "trigger": app.triggers.delete,
    }
    for kind, response in reversed(created):
        try:
            remove[kind](response.id)
        except Exception as failure:
            error.add_note(f"The {kind} {response.name!r} was created before, and could not be removed: {failure}")


def _document(fields: Mapping[str, Any], default_kind: str, where: str) -> Document:
    kind = fields.get("kind", default_kind)
    if kind not in _KINDS:
        near = difflib.get_close_matches(str(kind), _KINDS, n=1)
        raise InvalidInputError(
            f"{where} has the unknown kind {kind!r}.",
            hint=f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(_KINDS)}.",
        )
    return Document(kind, {name: value for name, value in fields.items() if name != "kind"}, where)


def _in_project(app: Actium, fields: Mapping[str, Any]) -> dict[str, Any]:
    if fields.get("project", app.project) != app.project:
        raise InvalidInputError(
            f"The project is {fields['project']!r}, but the command works in {app.project!r}.",
            hint=f"Call it with --project {fields['project']}.",
        )
    return {**fields, "project": app.project}


def _reference(given: object) -> str:
    if not isinstance(given, str) or not given:
        raise InvalidInputError(
            f"{given!r:.60} is no name and no id.", hint="Write a name, an id, or the beginning of one."
        )
    return given


def _text(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.read()
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ActiumError(f"{path} cannot be read: {error.strerror}.") from error
