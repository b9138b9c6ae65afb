"""Events, as CloudEvents 1.0 describes them: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from actium.models.attributes import CONTEXT_ATTRIBUTES, is_attribute_name, meant_attribute
from actium.models.base import BaseRequest, BaseResponse, NoResources, ResponsePart, storable
from actium.models.ids import new_id_text
from actium.models.page import BaseFilter, Columns
from actium.models.plain_json import may_hold_no_number

MAX_EVENT_BYTES = 1_048_576
"""How large an event's data may be, as JSON in UTF-8: without spaces, and with letters as they are."""

MAX_EXTENSION_NUMBER = 2_147_483_647
"""The largest whole number that an extension attribute may be, and its negative less one the smallest."""

_LONGEST_NUMBER = 640
"""Digits that Python always reads again; see `sys.set_int_max_str_digits`."""

Attribute = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(storable)]


def _now() -> datetime:
    return datetime.now(UTC)


class Event(BaseRequest):
    """A CloudEvents 1.0 event.

    Further keyword arguments are extension attributes: lower-case letters and digits, with a text, a whole number
    of 32 bits or a truth value, e.g. ``Event(..., partitionkey="7")``. A name that misses one of CloudEvents'
    own by a letter, such as ``subjet``, is refused, as in filters.

    Attributes:
        id: Unique for its source; publishing the same (source, id) again changes nothing. Made up when not given.
        source: Where it comes from, a URI reference such as ``/bucket/raw``.
        type: What happened, e.g. ``com.example.data.arrived``.
        specversion: Always ``1.0``.
        subject: What it happened to, within the source.
        time: When it happened; now when not given. Without a time zone it means UTC.
        datacontenttype: The media type of the data.
        dataschema: The URI of a schema of the data.
        data: Anything JSON can hold. Dates, UUIDs and pydantic models are written in their JSON form.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    id: Attribute = Field(default_factory=new_id_text)
    source: Attribute
    type: Attribute
    specversion: Literal["1.0"] = "1.0"
    subject: Attribute | None = None
    time: datetime = Field(default_factory=_now)
    datacontenttype: Attribute | None = None
    dataschema: Attribute | None = None
    data: Any = None

    @field_validator("time")
    @classmethod
    def _with_time_zone(cls, time: datetime) -> datetime:
        try:
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("must be within the years 1 to 9999 in UTC") from error

    @field_validator("data")
    @classmethod
    def _as_json(cls, data: Any) -> Any:
        try:
            plain = to_jsonable_python(data, bytes_mode="base64", inf_nan_mode="constants")
            size = _size(plain)
        except (PydanticSerializationError, ValueError, RecursionError) as error:
            raise ValueError(f"must be something JSON can hold: {error}") from error
        if size > MAX_EVENT_BYTES:
            raise ValueError(
                f"must be at most {MAX_EVENT_BYTES:,} bytes of JSON, is {size:,}; pass a reference to it instead"
            )
        return plain

    @model_validator(mode="after")
    def _check_extensions(self) -> Event:
        if not self.__pydantic_extra__:  # as a rule
            return self
        for name, value in self.extensions().items():
            if not is_attribute_name(name):
                raise ValueError(f"{name!r} cannot be an attribute: lower-case letters and digits only, at most 64")
            meant = meant_attribute(name)
            if meant is not None:
                raise ValueError(f"{name!r} is an unknown attribute; did you mean {meant!r}?")
            if not isinstance(value, str | int | bool):
                raise ValueError(f"the extension attribute {name!r} must be text, a whole number or a truth value")
            if isinstance(value, str):
                storable(value)
            elif not -MAX_EXTENSION_NUMBER - 1 <= value <= MAX_EXTENSION_NUMBER:
                raise ValueError(
                    f"the extension attribute {name!r} is a whole number beyond the 32 bits of CloudEvents; "
                    "write it as text"
                )
        return self

    def extensions(self) -> dict[str, Any]:
        """The extension attributes."""
        return self.__pydantic_extra__ or {}

    def caused_by(self, cause: str, correlation: str) -> Event:
        """This event with its cause, as the CloudEvents correlation extension names it.

        See https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/correlation.md.

        Args:
            cause: What directly led to it, e.g. an execution's id; it becomes ``causationid``.
            correlation: What all that belongs together shares; it becomes ``correlationid`` unless there is one.
        """
        extensions = {"correlationid": correlation, **self.extensions(), "causationid": cause}
        caused = self.model_copy()
        caused.__pydantic_extra__ = extensions
        return caused

    def attributes(self) -> dict[str, str]:
        """All context attributes that are set, in their canonical text form, as filters compare them."""
        defined = {name: value for name, value in self.__dict__.items() if name in CONTEXT_ATTRIBUTES}
        given = {**defined, **self.extensions()}
        return {name: _canonical(value) for name, value in given.items() if value is not None}


class ContextAttributes(Mapping[str, str]):
    """The context attributes of an event that are set, each put into its canonical text form when it is asked for."""

    __slots__ = ("_event",)

    def __init__(self, event: Event) -> None:
        self._event = event

    def __getitem__(self, name: str) -> str:
        event = self._event
        value = event.__dict__[name] if name in CONTEXT_ATTRIBUTES else event.extensions()[name]
        if type(value) is str:
            return value
        if value is None:
            raise KeyError(name)
        return _canonical(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._event.attributes())

    def __len__(self) -> int:
        return len(self._event.attributes())


def _canonical(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _size(plain: Any) -> int:
    """How many bytes of UTF-8 a JSON value takes.

    Raises:
        ValueError: It is not a number.
    """
    try:
        text = to_json(plain, inf_nan_mode="constants")
    except PydanticSerializationError:  # unpaired surrogates
        return _size_in_python(plain)
    may_be_refused = len(text) > _LONGEST_NUMBER or may_hold_no_number(text)
    return _size_in_python(plain) if may_be_refused else len(text)


def _size_in_python(plain: Any) -> int:
    text = json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode(errors="surrogatepass"))


class EventBody(ResponsePart):
    """The body of a stored event.

    Attributes:
        project: The project it was published in.
        event_id: The CloudEvents ``id``, unique for its source.
        source: Where it comes from.
        type: What happened.
        subject: What it happened to, within the source.
        time: When it happened, as its source says.
        received: When it was stored.
    """

    project: str
    event_id: str
    source: str
    type: str
    subject: str | None
    time: datetime
    received: datetime


class EventMetadata(ResponsePart):
    """The metadata of a stored event.

    Attributes:
        event: The whole event, with its data.
        executions: The executions that it led to.
    """

    event: Event
    executions: tuple[UUID, ...] = ()


class EventResponse(BaseResponse[EventBody, EventMetadata, NoResources]):
    """A stored event; its name is the CloudEvents ``id``."""

    @property
    def type(self) -> str:
        """What happened."""
        return self.body.type

    @property
    def source(self) -> str:
        """Where it comes from."""
        return self.body.source

    @property
    def event(self) -> Event:
        """The whole event (hydrated)."""
        return self.get_metadata().event


class EventFilter(BaseFilter):
    """Which events to list."""

    COLUMNS: ClassVar[Columns] = {
        "id": UUID,
        "event_id": str,
        "source": str,
        "type": str,
        "subject": str,
        "time": datetime,
        "received": datetime,
    }

    sort_by: str = "desc:received"
    id: UUID | str | list[UUID | str] | None = None
    event_id: str | list[str] | None = None
    source: str | list[str] | None = None
    type: str | list[str] | None = None
    subject: str | list[str] | None = None
    time: datetime | str | list[datetime | str] | None = None
    received: datetime | str | list[datetime | str] | None = None
