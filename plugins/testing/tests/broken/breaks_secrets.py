"""Flavors that break a rule of secrets."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

from pydantic import Field, model_validator
from sound import SoundConfig, SoundHandler, flavor

from actium.errors import AlreadyExistsError
from actium.stores.records import ResourceRecord


class PlainKey(SoundConfig):
    api_key: str | None = Field(default=None, description="A key.")


plain_key = flavor("plain_key", config=PlainKey, breaks="test_fields_named_like_secrets_are_secret")


class Blabbing(SoundConfig):
    @model_validator(mode="after")
    def _blab(self) -> Self:
        if self.token is not None and not self.token.get_secret_value().startswith("env:"):
            raise ValueError(f"{self.token.get_secret_value()} is no reference")
        return self


blabbing = flavor("blabbing", config=Blabbing, breaks="test_literal_secrets_are_not_repeated")


class Eager(SoundHandler):
    def validate_action_request(self, action: Any, config: Any) -> None:
        super().validate_action_request(action, config)
        if config.token is not None:
            os.environ[config.token.get_secret_value().removeprefix("env:")]


eager = flavor("eager", Eager, breaks="test_secrets_need_not_be_there_before_it_runs")


class Showing(SoundConfig):
    def __repr__(self) -> str:
        return f"Showing({'' if self.token is None else self.token.get_secret_value()})"


showing = flavor("showing", config=Showing, breaks="test_secrets_are_not_shown_by_its_configuration")


class Keeping(SoundHandler):
    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        now = datetime.now(UTC)
        kept = {} if config.token is None else {"token": config.token.get_secret_value()}
        record = ResourceRecord(
            id=uuid5(NAMESPACE_URL, "kept"),
            project="default",
            type="kept",
            name="kept",
            body=kept,
            created=now,
            updated=now,
        )
        with suppress(AlreadyExistsError):
            self.store.insert_resource(record)
        return super().run(config, trigger_execution, auth_context)

    def process_action_delete(self, action: Any, config: Any, force: bool) -> None:
        super().process_action_delete(action, config, force)


keeping = flavor("keeping", Keeping, breaks="test_secrets_are_not_in_what_is_kept")


class Logging(SoundHandler):
    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        if config.token is not None:
            logging.getLogger("broken").debug("the token is %s", config.token.get_secret_value())
        return super().run(config, trigger_execution, auth_context)


log = flavor("log", Logging, breaks="test_secrets_are_not_logged_or_printed")
