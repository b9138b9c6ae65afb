"""The names that Actium promises, pinned: adding one is a decision, losing one breaks somebody."""

from __future__ import annotations

import inspect
from types import FunctionType, ModuleType

import pytest

import actium
import actium.errors
import actium.models


def test_the_names_of_actium() -> None:
    """What ``from actium import ...`` gives."""
    assert dir(actium) == [
        "ActionConfig",
        "Actium",
        "ActiumError",
        "AuthContext",
        "BaseActionFlavor",
        "BaseActionHandler",
        "Event",
        "ExecutionStatus",
        "PluginType",
        "ResourceType",
        "TriggerExecutionResponse",
        "action_flavor",
        "hookimpl",
        "trace",
    ]


def test_the_names_of_models() -> None:
    """What ``from actium.models import ...`` gives."""
    assert dir(actium.models) == [
        "ActionFilter",
        "ActionFlavorResponse",
        "ActionRequest",
        "ActionResponse",
        "ActionRevisionResponse",
        "ActionStatus",
        "ActionUpdate",
        "Attempt",
        "Backoff",
        "BaseFilter",
        "BaseRequest",
        "BaseResponse",
        "Concurrency",
        "ConcurrencyMode",
        "Event",
        "EventFilter",
        "EventResponse",
        "ExecutionError",
        "ExecutionStatus",
        "Page",
        "PluginType",
        "PublishedEvent",
        "PublishedEvents",
        "ResourceFilter",
        "ResourceReference",
        "ResourceResponse",
        "ResourceType",
        "RunPolicy",
        "ServiceAccountFilter",
        "ServiceAccountRequest",
        "ServiceAccountResponse",
        "ServiceAccountUpdate",
        "StepProgress",
        "TraceMode",
        "TriggerExecutionFilter",
        "TriggerExecutionResponse",
        "TriggerFilter",
        "TriggerRequest",
        "TriggerResponse",
        "TriggerUpdate",
    ]


def test_the_names_of_errors() -> None:
    """What ``from actium.errors import ...`` gives."""
    public = [
        name for name, value in vars(actium.errors).items() if getattr(value, "__module__", "") == "actium.errors"
    ]
    assert sorted(public) == [
        "ActiumError",
        "AlreadyExistsError",
        "AmbiguousReferenceError",
        "AuthError",
        "ConflictError",
        "DuplicateFlavorError",
        "ExecutionCancelled",
        "ExecutionFailedError",
        "ExecutionNotEndedError",
        "ExecutionTimeoutError",
        "FieldProblem",
        "FlavorNotFoundError",
        "HydrationError",
        "InUseError",
        "InactiveAccountError",
        "InvalidConfigurationError",
        "InvalidFilterError",
        "InvalidInputError",
        "InvalidQueryError",
        "InvalidTokenError",
        "NotConfiguredError",
        "NotFoundError",
        "NotReadyError",
        "PermanentError",
        "PluginBlockedError",
        "PluginError",
        "PluginQuarantinedError",
        "Retry",
        "SecretResolutionError",
        "StoreBusyError",
        "StoreClosedError",
        "StoreCorruptError",
        "StoreError",
        "StoreReadOnlyError",
        "StoreVersionError",
        "VersionConflictError",
        "WorkerLostError",
    ]


def test_the_tree_of_errors() -> None:
    """Every error derives from ActiumError, and has a docstring and a place in the drawn tree."""
    drawn = actium.errors.__doc__ or ""
    for name, value in vars(actium.errors).items():
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, actium.errors.ActiumError)
            assert value.__doc__
            assert name in drawn


def public_members(value: object) -> list[tuple[str, object]]:
    """A class's own public functions and properties, those of its bases among Actium's included."""
    if not isinstance(value, type):
        return []
    return [
        (f"{value.__name__}.{name}", member)
        for base in value.__mro__
        if base.__module__.startswith("actium.")
        for name, member in vars(base).items()
        if not name.startswith("_") and isinstance(member, FunctionType | property | classmethod | staticmethod)
    ]


@pytest.mark.parametrize("package", [actium, actium.models, actium.errors], ids=lambda package: package.__name__)
def test_every_public_name_is_documented(package: ModuleType) -> None:
    """Every name that a package gives says what it is for, and so does every public method of every class."""
    names = [(name, getattr(package, name)) for name in dir(package) if not name.startswith("_")]
    ours = [(name, value) for name, value in names if str(getattr(value, "__module__", "")).startswith("actium.")]
    assert ours
    members = [member for _, value in ours for member in public_members(value)]
    assert [name for name, value in ours + members if not inspect.getdoc(value)] == []
