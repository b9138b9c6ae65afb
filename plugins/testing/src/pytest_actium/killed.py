"""The other side of a crash: the process that is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from actium import Actium
from actium.actions.base_action import BaseActionHandler
from actium.models import ActionRequest, ActionUpdate
from pytest_actium.child import open_application
from pytest_actium.crash import Moment

_POINTS = {"create": "process_action_request", "update": "process_action_update", "delete": "process_action_delete"}
KILLED = -signal.SIGKILL if hasattr(signal, "SIGKILL") else 137


def change(order: Mapping[str, Any]) -> str:
    """Do what is to be interrupted; says what became of it when nothing interrupted it."""
    app: Actium = open_application(order)
    at = Moment(order["at"])
    if order["change"] == "run":
        _kill_in_run(app, at)
    else:
        subtype, _, flavor = order["key"].partition(".")
        handler = app.registry.get_plugin("action", subtype, flavor)
        point = _POINTS[order["change"]]
        if getattr(type(handler), point) is getattr(BaseActionHandler, point):
            return f"the flavor does not override {point}"
        _kill_around(type(handler), point, at)
    _act(app, order)
    return "it was done"


def _act(app: Actium, order: Mapping[str, Any]) -> None:
    match order["change"]:
        case "create":
            app.actions.create(ActionRequest.model_validate(order["request"]))
        case "update":
            app.actions.update(order["action"], ActionUpdate.model_validate(order["update"]))
        case "delete":
            app.actions.delete(order["action"])
        case _:
            app.worker().run_until_idle()


def _kill_around(kind: type[Any], point: str, at: Moment) -> None:
    real: Callable[..., Any] = getattr(kind, point)

    def killing(*arguments: Any, **named: Any) -> None:
        if at is Moment.AFTER_PROCESSING:
            real(*arguments, **named)
        _kill()

    setattr(kind, point, killing)


def _kill_in_run(app: Actium, at: Moment) -> None:
    store: Any = app.store
    real = store.exchange

    def exchange(worker: str, endings: Any = (), **options: Any) -> Any:
        if at is Moment.AFTER_RUN and endings:
            _kill()
        exchanged = real(worker, endings, **options)
        if at is Moment.BEFORE_RUN and exchanged.claims:
            _kill()
        return exchanged

    store.exchange = exchange


def _kill() -> NoReturn:
    if hasattr(signal, "SIGKILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(137)
