"""Flavors whose schemas and configurations break a rule."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, field_validator, model_validator
from sound import SoundConfig, SoundHandler, flavor

undescribed = flavor("undescribed", description="", breaks="test_it_has_a_description")


class OddSchema(SoundConfig):
    shape: str = Field(default="round", description="A shape.", json_schema_extra={"type": "strin"})


odd_schema = flavor("odd_schema", config=OddSchema, breaks="test_its_schema_is_a_json_schema")


class ComputedDefault(SoundConfig):
    process: int = Field(default=os.getpid(), description="A number.")


computed_default = flavor("computed_default", config=ComputedDefault, breaks="test_its_schema_is_the_same_everywhere")


class Silent(SoundConfig):
    silent: int = 3


silent_field = flavor("silent_field", config=Silent, breaks="test_every_field_has_a_description")


class Narrow(SoundConfig):
    folder: str = Field(description="A folder.", json_schema_extra={"maxLength": 2})


narrow_schema = flavor("narrow_schema", config=Narrow, breaks="test_its_schema_takes_what_is_valid")


class Picky(SoundHandler):
    def validate_action_request(self, action: Any, config: Any) -> None:
        super().validate_action_request(action, config)
        if config.folder == "kept":
            raise ValueError("today nothing is valid")


picky = flavor("picky", Picky, breaks="test_a_valid_configuration_is_taken")


class Growing(SoundConfig):
    note: str = Field(default="", description="A note.", validate_default=True)

    @field_validator("note")
    @classmethod
    def _grow(cls, note: str) -> str:
        return f"{note}!"


growing = flavor("growing", config=Growing, breaks="test_a_configuration_survives_storage")


class Tampering(SoundConfig):
    @model_validator(mode="before")
    @classmethod
    def _tamper(cls, given: Any) -> Any:
        if "labels" in given:
            given["labels"].setdefault("by", "the flavor")
        return given


tampering = flavor("tampering", config=Tampering, breaks="test_a_configuration_is_left_as_it_was_given")


class Anything(SoundConfig):
    ends: Any = Field(default="well", description="How its run ends.")


anything = flavor("anything", config=Anything, breaks="test_invalid_configurations_are_refused")


class Pathless(SoundHandler):
    def validate_action_request(self, action: Any, config: Any) -> None:
        if config.folder.startswith("/"):
            raise ValueError("some folder is wrong")


pathless = flavor("pathless", Pathless, breaks="test_refusals_name_the_field")


class TrustingUpdates(SoundHandler):
    def validate_action_update(self, action: Any, config: Any, action_update: Any, config_update: Any) -> None:
        pass

    def process_action_update(self, action: Any, config: Any, previous_action: Any, previous_config: Any) -> None:
        if not config.folder.startswith("/"):
            super().process_action_update(action, config, previous_action, previous_config)


trusting_updates = flavor("trusting_updates", TrustingUpdates, breaks="test_an_update_is_checked_like_a_creation")


class Swallowing(SoundConfig):
    model_config = ConfigDict(extra="allow")


swallowing = flavor("swallowing", config=Swallowing, breaks="test_unknown_keys_do_not_pass_in_silence")


class Hasty(SoundHandler):
    def validate_action_request(self, action: Any, config: Any) -> None:
        super().validate_action_request(action, config)
        with Path("seen.txt").open("a") as seen:
            seen.write("validated\n")

    def validate_action_update(self, action: Any, config: Any, action_update: Any, config_update: Any) -> None:
        super().validate_action_request(action_update, config_update)

    def process_action_delete(self, action: Any, config: Any, force: bool) -> None:
        Path("seen.txt").unlink(missing_ok=True)
        super().process_action_delete(action, config, force)


hasty = flavor("hasty", Hasty, breaks="test_validating_has_no_side_effects")
