"""What requests and responses have in common: names, refusal of bad input, and hydration."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from copy import deepcopy
from datetime import datetime
from functools import cache
from types import NoneType
from typing import Annotated, Any, Generic, Self, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from actium.errors import FieldProblem, HydrationError, InvalidInputError

logger = logging.getLogger("actium.models")


def _let_pydantic_search_its_plugins() -> None:
    """Let pydantic do at once what it does when the first model is defined, and survive when that fails.

    One malformed ``entry_points.txt`` of any distribution makes its search fail, which would keep every model from
    being defined. It searches only once, and goes on without plugins.
    """
    try:
        TypeAdapter(bool)
    except Exception as error:
        logger.warning("pydantic cannot search its plugins, and goes on without: %s: %s", type(error).__name__, error)


_let_pydantic_search_its_plugins()

DEFAULT_PROJECT = "default"
SHOWN_CHARACTERS = 80


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must not contain control characters or unpaired surrogates")
    if value != value.strip():
        raise ValueError("must not begin or end with a space")
    return value


Name = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_printable)]
"""What an object is called: 1 to 255 printable characters."""


def storable(value: str) -> str:
    """Refuse text that a store cannot keep: with NUL bytes, or with unpaired surrogates."""
    if "\x00" in value:
        raise ValueError("must not contain NUL bytes")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must not contain unpaired surrogates") from error
    return value


Text = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(storable)]
"""Free text, such as a description: up to 10,000 characters."""


_UNCHANGING = frozenset({NoneType, bool, int, float, str, UUID, datetime})


class Copied(BaseModel):
    """Base of what hook plugins get copies of: pydantic's own deep copy also takes apart what never changes."""

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        if self.__private_attributes__:
            return super().__deepcopy__(memo)
        memo = {} if memo is None else memo
        made = assembled(
            type(self),
            {name: _copied(value, memo) for name, value in self.__dict__.items()},
            extra=None if self.__pydantic_extra__ is None else deepcopy(self.__pydantic_extra__, memo),
        )
        object.__setattr__(made, "__pydantic_fields_set__", set(self.__pydantic_fields_set__))
        return made


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    return value if type(value) in _UNCHANGING else deepcopy(value, memo)


class BaseRequest(Copied):
    """Base of what a caller asks for. Unknown keys are refused, so that a misspelled one is never ignored.

    Within a model of someone else's, or in a ``TypeAdapter``, it is pydantic that validates and raises its own error.

    Raises:
        InvalidInputError: From the constructor and from ``model_validate...``, with one problem a wrong field.
    """

    model_config = ConfigDict(extra="forbid", validate_default=False, hide_input_in_errors=True)

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise _refusal(type(self), error) from error

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Make one of a mapping, see ``pydantic.BaseModel.model_validate``."""
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise _constructors(error) or _refusal(cls, error) from error

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Make one of JSON, see ``pydantic.BaseModel.model_validate_json``."""
        try:
            return super().model_validate_json(json_data, **options)
        except ValidationError as error:
            raise _constructors(error) or _refusal(cls, error) from error

    @classmethod
    def model_validate_strings(cls, obj: Any, **options: Any) -> Self:
        """Make one of a mapping of texts, see ``pydantic.BaseModel.model_validate_strings``."""
        try:
            return super().model_validate_strings(obj, **options)
        except ValidationError as error:
            raise _constructors(error) or _refusal(cls, error) from error


def _refusal(model: type[BaseModel], error: ValidationError) -> InvalidInputError:
    return InvalidInputError(f"This {model.__name__} is not valid.", problems=field_problems(error))


def _constructors(error: ValidationError) -> InvalidInputError | None:
    """What the constructor raised, where pydantic called it and wrapped that."""
    first = error.errors(include_url=False)[0]
    raised = first.get("ctx", {}).get("error")
    return raised if first["loc"] == () and isinstance(raised, InvalidInputError) else None


ModelT = TypeVar("ModelT", bound=BaseModel)
BodyT = TypeVar("BodyT", bound=BaseModel)
MetadataT = TypeVar("MetadataT", bound=BaseModel)
ResourcesT = TypeVar("ResourcesT", bound=BaseModel)


class ResponsePart(Copied):
    """Base of a response's body, metadata and resources."""

    model_config = ConfigDict(extra="forbid")


class NoMetadata(ResponsePart):
    """The metadata of objects that have none."""


class NoResources(ResponsePart):
    """The resources of objects that refer to nothing."""


class BaseResponse(Copied, Generic[BodyT, MetadataT, ResourcesT]):
    """What a caller gets back.

    The body is always there. Metadata and resources come with ``hydrate=True`` only, and reading one that did not
    come is an error: a response never fetches behind the caller's back.

    Attributes:
        id: The object's id.
        name: The object's name.
        body: What a listing shows.
        metadata: The rest of the object, when hydrated.
        resources: What the object refers to, when hydrated.
    """

    model_config = ConfigDict(extra="forbid")

    id: UUID
    name: str
    body: BodyT
    metadata: MetadataT | None = None
    resources: ResourcesT | None = None

    def get_metadata(self) -> MetadataT:
        """Return the metadata.

        Raises:
            HydrationError: This response was not hydrated.
        """
        if self.metadata is None:
            raise self._not_hydrated("metadata")
        return self.metadata

    def get_resources(self) -> ResourcesT:
        """Return the resources.

        Raises:
            HydrationError: This response was not hydrated.
        """
        if self.resources is None:
            raise self._not_hydrated("resources")
        return self.resources

    def _not_hydrated(self, part: str) -> HydrationError:
        kind = type(self).__name__.removesuffix("Response")
        return HydrationError(
            f"{kind} {self.name!r} ({self.id}) was read without its {part}.",
            hint="Read it with hydrate=True: get(id, hydrate=True) or list(filter, hydrate=True).",
        )


def assembled(model: type[ModelT], fields: dict[str, Any], *, extra: dict[str, Any] | None = None) -> ModelT:
    """A model of values that are known to fit it, as they come from a store.

    Nothing is validated, copied or filled in; pydantic's own ``model_construct`` takes longer than validating does.

    Args:
        model: What to make.
        fields: Every field, by name.
        extra: What a model that allows it holds besides its fields.
    """
    made = object.__new__(model)
    _put_values(made, fields)
    _put_fields_set(made, _all_fields(model).copy())
    _put_extra(made, extra)
    _put_private(made, None)
    return made


@cache
def _all_fields(model: type[BaseModel]) -> set[str]:
    """The names of a model's fields, for pydantic to tell which were given; each model gets a set of its own."""
    return set(model.model_fields)


# What pydantic keeps of a model, set where it lies: by name, each of these takes twice as long.
_put_values, _put_fields_set, _put_extra, _put_private = (
    BaseModel.__dict__[name].__set__
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


def field_problems(
    error: ValidationError, *, secret_paths: frozenset[tuple[str, ...]] = frozenset()
) -> tuple[FieldProblem, ...]:
    """Tell a pydantic error as one problem a field.

    Args:
        error: What pydantic raised.
        secret_paths: Keys that lead to secrets, without list indexes. Values there, around there and inside are not
            shown, nor those of unknown keys, which may be misspelled ones.
    """
    return tuple(
        FieldProblem(
            path=dotted(item["loc"]),
            problem=item["msg"].removeprefix("Value error, "),
            value=None
            if item["type"] == "missing" or _may_be_secret(item["type"], item["loc"], secret_paths)
            else shown(item["input"]),
            expected=_expected(item["type"]),
        )
        for item in error.errors(include_url=False)
    )


def dotted(location: Iterable[str | int]) -> str:
    """Write a location as ``a.b[2].c``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def shown(value: object) -> str | None:
    """Write a value for an error message: scalars only, shortened; containers may hold secrets.

    A value that cannot be written, such as a whole number of thousands of digits, is told by its type.
    """
    try:
        if isinstance(value, dict | list | tuple | set | BaseModel):
            return None
        text = repr(value)
    except Exception as error:
        return f"{type(value).__name__} that cannot be shown ({_in_words(error)})"
    return _shortened(text)


def _in_words(error: Exception) -> str:
    try:
        return _shortened(f"{type(error).__name__}: {error}")
    except Exception:
        return type(error).__name__


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}… ({len(text):,} characters)"


def _may_be_secret(error_type: str, location: Iterable[str | int], secret_paths: frozenset[tuple[str, ...]]) -> bool:
    if error_type == "extra_forbidden":
        return True
    keys = tuple(part for part in location if isinstance(part, str))
    return any(path[: len(keys)] == keys or _is_within(path, keys) for path in secret_paths)


def _is_within(path: tuple[str, ...], keys: tuple[str, ...]) -> bool:
    """Whether keys lead through a path; there may be others between, such as those that pydantic names unions by."""
    remaining = iter(keys)
    return all(part in remaining for part in path)


def _expected(error_type: str) -> str | None:
    """The expected type in a word, from pydantic's error types such as ``int_parsing`` and ``uuid_type``."""
    kind, _, problem = error_type.rpartition("_")
    return kind.replace("_", " ") if problem in {"type", "parsing"} else None
