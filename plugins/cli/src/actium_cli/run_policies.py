"""The options of an action's run policy, which commands that create and change actions share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actium.models import RunPolicy

PANEL = "Run policy"


class BackoffKind(StrEnum):
    """The values of ``--backoff``."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"


class Mode(StrEnum):
    """The values of ``--concurrency-mode``; `actium.models.run_policy.ConcurrencyMode` explains them."""

    PARALLEL = "parallel"
    QUEUED = "queued"
    SINGLE = "single"
    RESTART = "restart"


def _option(*names: str, metavar: str | None = None, **settings: Any) -> Any:
    return typer.Option(*names, metavar=metavar, rich_help_panel=PANEL, show_default=False, **settings)


OPTIONS: Mapping[str, Any] = {
    "max_attempts": Annotated[
        int | None, _option("--max-attempts", min=1, metavar="N", help="How often an execution is tried; 1 by default.")
    ],
    "retry_on": Annotated[
        list[str] | None,
        _option(
            "--retry-on",
            metavar="NAME",
            help="Try again only after this exception, e.g. ConnectionError; Exception is any. "
            "May be given several times.",
        ),
    ],
    "backoff_kind": Annotated[
        BackoffKind | None,
        _option(
            "--backoff",
            metavar="KIND",
            help="The wait before the next attempt: fixed, or exponential (the default), which grows.",
        ),
    ],
    "backoff_base": Annotated[
        float | None, _option("--backoff-base", metavar="SECONDS", help="The wait after the first attempt.")
    ],
    "backoff_factor": Annotated[
        float | None, _option("--backoff-factor", metavar="X", help="By what the wait grows with each attempt.")
    ],
    "backoff_cap": Annotated[float | None, _option("--backoff-cap", metavar="SECONDS", help="The longest wait.")],
    "backoff_jitter": Annotated[
        bool | None,
        _option("--jitter/--no-jitter", help="Whether the wait is drawn between nothing and that; it is by default."),
    ],
    "timeout": Annotated[
        float | None,
        _option("--timeout", min=0, metavar="SECONDS", help="How long an attempt may take; 0 is no limit."),
    ],
    "concurrency_mode": Annotated[
        Mode | None,
        _option(
            "--concurrency-mode",
            metavar="MODE",
            help="What an execution does while others have not ended: run beside them (parallel), wait (queued), "
            "be skipped (single), or take their place (restart).",
        ),
    ],
    "concurrency_maximum": Annotated[
        int | None,
        _option("--concurrency-max", min=0, metavar="N", help="How many may run at once; 0 is the mode's default."),
    ],
    "concurrency_key": Annotated[
        str | None,
        _option(
            "--concurrency-key",
            metavar="PATH",
            help="What of the event tells apart those that do not concern each other, e.g. subject or data.customer; "
            "an empty text is nothing.",
        ),
    ],
    "deadline": Annotated[
        float | None,
        _option("--deadline", min=0, metavar="SECONDS", help="For how long an execution may be begun; 0 is no limit."),
    ],
    "max_chain": Annotated[
        int | None,
        _option("--max-chain", min=1, metavar="N", help="How many executions may lead to one another by their events."),
    ],
}
"""The types of the parameters, by the field of the policy that they set."""

_PARTS = ("backoff", "concurrency")
_NOTHING: Mapping[str, Any] = {"timeout": 0, "deadline": 0, "concurrency_maximum": 0, "concurrency_key": ""}
"""What stands for no value at all."""


def taking_run_policy(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a run policy to a command, which gets what was given of them as ``policy``."""
    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)

    @functools.wraps(command)
    def run(**arguments: Any) -> None:
        given = {field: arguments.pop(field) for field in OPTIONS}
        command(**arguments, policy={field: value for field, value in given.items() if value is not None})

    kept = [parameter for name, parameter in signature.parameters.items() if name != "policy"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in OPTIONS.items()
    ]
    run.__annotations__ = {**{name: hint for name, hint in hints.items() if name != "policy"}, **OPTIONS}
    run.__dict__.update(
        __signature__=signature.replace(
            parameters=[*(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in kept), *added]
        )
    )
    return run


def policy_of(present: RunPolicy | None, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """The run policy that options ask for; None if they ask for none.

    Args:
        present: The policy that single fields are changed in; None for the default one.
        given: What was given, by the keys of `OPTIONS`.
    """
    if not given:
        return None
    policy: dict[str, Any] = {} if present is None else present.model_dump(mode="json")
    for field, value in given.items():
        wanted = None if value == _NOTHING.get(field, object()) else value
        part, _, name = field.partition("_")
        if part in _PARTS:
            policy.setdefault(part, {})[name] = wanted
        else:
            policy[field] = wanted
    return policy


def policy_view(policy: RunPolicy) -> RenderableType:
    """A run policy as people read it."""
    from actium.models.run_policy import DEFAULT_MAX_CHAIN
    from actium_cli import views

    return views.fields(
        [
            ("attempts", _attempts(policy)),
            ("retried after", None if policy.max_attempts == 1 else ", ".join(policy.retry_on or ("any exception",))),
            ("time limit", _seconds(policy.timeout, "an attempt")),
            ("at once", _concurrency(policy)),
            ("deadline", _seconds(policy.deadline, "after it was stored")),
            (
                "chain",
                None if policy.max_chain == DEFAULT_MAX_CHAIN else f"up to {policy.max_chain:,} executions",
            ),
        ]
    )


def _attempts(policy: RunPolicy) -> str:
    if policy.max_attempts == 1:
        return "1"
    backoff = policy.backoff
    wait = f"{backoff.base:g} s"
    if backoff.kind == "exponential":
        wait += f", times {backoff.factor:g} each time, up to {backoff.cap:g} s"
    drawn = ", drawn between nothing and that" if backoff.jitter else ""
    return f"up to {policy.max_attempts}; the next one follows after {wait}{drawn}"


def _concurrency(policy: RunPolicy) -> str:
    concurrency = policy.concurrency
    told = f"{concurrency.mode.value}, {'no limit' if concurrency.slots is None else f'up to {concurrency.slots:,}'}"
    return told if concurrency.key is None else f"{told} with the same {concurrency.key}"


def _seconds(seconds: float | None, of_what: str) -> str | None:
    return None if seconds is None else f"{seconds:g} s {of_what}"
