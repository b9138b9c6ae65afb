"""Secrets: configured as references, resolved for the run, and nowhere else."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, RootModel, SecretBytes, SecretStr

from actium import ActionConfig, Actium, BaseActionFlavor, BaseActionHandler, action_flavor
from actium.auth.secret_references import (
    MASK,
    check_references,
    dump_with_references,
    masked,
    noting_secrets,
    resolve_references,
    secret_fields,
)
from actium.errors import InvalidConfigurationError, SecretResolutionError
from actium.models import ActionRequest, ServiceAccountRequest


class Login(BaseModel):
    user: str
    password: SecretStr


class Everywhere(ActionConfig):
    token: SecretStr | None = None
    logins: list[Login] = Field(default_factory=list)
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    pair: tuple[SecretStr, int] | None = None


class Spelled(ActionConfig):
    key: SecretStr | None = Field(None, validation_alias=AliasChoices("apiKey", AliasPath("login", 0, "key")))
    wrapped: RootModel[dict[str, SecretStr]] | None = None


REFERENCES = {
    "token": "env:T",
    "logins": [{"user": "a", "password": "env:P"}],
    "headers": {"x-key": "env:K"},
    "pair": ["env:T", 1],
}


def test_references_are_dumped_as_such() -> None:
    """The stored form holds the references, wherever they stand."""
    config = Everywhere.model_validate(REFERENCES)
    check_references(config)
    assert dump_with_references(config) == REFERENCES


def test_references_are_resolved_everywhere_and_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reference is resolved in place, the original stays, and what was resolved is noted."""
    for name, value in {"T": "tt", "P": "pp", "K": "kk"}.items():
        monkeypatch.setenv(name, value)
    config = Everywhere.model_validate(REFERENCES)
    with noting_secrets() as secrets:
        resolved = resolve_references(config)
    assert resolved.token is not None
    assert resolved.pair is not None
    assert [resolved.token.get_secret_value(), resolved.pair[0].get_secret_value()] == ["tt", "tt"]
    assert resolved.logins[0].password.get_secret_value() == "pp"
    assert resolved.headers["x-key"].get_secret_value() == "kk"
    assert sorted(secrets) == ["kk", "pp", "tt", "tt"]
    assert dump_with_references(config) == REFERENCES


def test_a_configuration_without_secrets_is_the_same_object() -> None:
    """Nothing is copied where there is nothing to resolve."""
    config = Everywhere()
    assert resolve_references(config) is config


def test_files_are_read_without_their_last_newline(tmp_path: Path) -> None:
    """A secret file's content is the secret, but for one newline at its end."""
    (tmp_path / "secret").write_text("a b\n\n", encoding="utf-8")
    config = resolve_references(Everywhere(token=SecretStr(f"file:{tmp_path / 'secret'}")))
    assert config.token is not None
    assert config.token.get_secret_value() == "a b\n"


@pytest.mark.parametrize("reference", ["env:SURELY_NOT_SET", "file:/surely/not/there"])
def test_a_reference_that_leads_nowhere_is_told_with_its_field(reference: str) -> None:
    """What cannot be resolved is an error that names the reference's target and the field."""
    config = Everywhere.model_validate({"logins": [{"user": "a", "password": reference}]})
    with pytest.raises(SecretResolutionError, match=reference.partition(":")[2]) as caught:
        resolve_references(config)
    assert caught.value.__notes__ == ["in the field logins[0].password"]


@pytest.mark.parametrize(
    "reference, told",
    [
        ("file:/tmp/a\x00b", "null"),
        ("file:~nosuchuser/secret", "home directory"),
        ("file:/\ud800", "surrogates"),
        ("file:/", "directory"),
        ("env:\ud800", "is not set"),
        ("env:A\x00B", "is not set"),
        ("env:A=B", "is not set"),
    ],
)
def test_a_reference_that_no_system_can_follow_leads_nowhere_too(reference: str, told: str) -> None:
    """A name that no variable, file or user can have is told like one that is not there."""
    with pytest.raises(SecretResolutionError, match=told):
        resolve_references(Everywhere(token=SecretStr(reference)))


def test_a_file_that_is_no_text_is_no_secret(tmp_path: Path) -> None:
    """A secret file is UTF-8, and what it holds instead is not told."""
    (tmp_path / "secret").write_bytes(b"hunter2\xff")
    with pytest.raises(SecretResolutionError, match="cannot be read") as caught:
        resolve_references(Everywhere(token=SecretStr(f"file:{tmp_path / 'secret'}")))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("literal", ["hunter2", "env:", "vault:x", "", ":x"])
def test_literals_are_refused_without_being_told(literal: str) -> None:
    """A literal secret is refused with its path and what to write; its value is not repeated."""
    config = Everywhere.model_validate({"logins": [{"user": "a", "password": literal}], "headers": {"k": "env:K"}})
    with pytest.raises(InvalidConfigurationError, match="Write env:NAME or file:PATH") as caught:
        check_references(config)
    assert [problem.path for problem in caught.value.problems] == ["logins[0].password"]
    assert "hunter2" not in str(caught.value)


def test_other_kinds_of_secrets_are_refused() -> None:
    """A field that would be dumped as asterisks, and so be lost, is refused."""

    class Binary(ActionConfig):
        key: SecretBytes

    with pytest.raises(InvalidConfigurationError, match=r"Declare it as pydantic\.SecretStr"):
        check_references(Binary(key=SecretBytes(b"x")))


def test_secret_fields_are_known_by_path() -> None:
    """Paths of secrets are found in nested models, lists, mappings and optional fields, in every spelling."""
    assert secret_fields(Everywhere) == {("token",), ("logins", "password"), ("headers",), ("pair",)}
    assert secret_fields(Spelled) == {("key",), ("apiKey",), ("login", "key"), ("wrapped",)}


class Pair(NamedTuple):
    name: str
    secret: SecretStr


class Held(ActionConfig):
    """Secrets in every kind of holder that keeps references."""

    by_number: dict[int, SecretStr] = Field(default_factory=dict)
    wrapped: RootModel[list[SecretStr]] | None = None
    named: Pair | None = None
    renamed: SecretStr | None = Field(None, serialization_alias="shown")


def test_every_holder_keeps_its_references(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that are no texts, wrapped models, named tuples and renamed fields are stored, read back and resolved."""
    monkeypatch.setenv("T", "tt")
    config = Held.model_validate(
        {"by_number": {7: "env:T"}, "wrapped": ["env:T"], "named": ["n", "env:T"], "renamed": "env:T"}
    )
    stored = dump_with_references(config)
    assert stored == {
        "by_number": {"7": "env:T"},
        "wrapped": ["env:T"],
        "named": ["n", "env:T"],
        "renamed": "env:T",
    }
    resolved = resolve_references(Held.model_validate(stored))
    assert resolved.wrapped is not None
    assert resolved.named is not None
    assert resolved.renamed is not None
    found = [resolved.by_number[7], resolved.wrapped.root[0], resolved.named.secret, resolved.renamed]
    assert [secret.get_secret_value() for secret in found] == ["tt"] * 4
    assert resolved.named.name == "n"


@dataclass
class Badge:
    secret: SecretStr


class Lossy(ActionConfig):
    one_of: set[SecretStr] = Field(default_factory=set)
    badge: Badge | None = None


@pytest.mark.parametrize(
    "given_configuration, path",
    [({"one_of": ["env:T"]}, "one_of[0]"), ({"badge": {"secret": "env:T"}}, "badge.secret")],
)
def test_a_secret_that_would_be_lost_is_refused(given_configuration: dict[str, Any], path: str) -> None:
    """Where no reference can be kept, none is replaced by asterisks: the configuration is refused with the path."""
    with pytest.raises(InvalidConfigurationError, match="would be lost") as caught:
        dump_with_references(Lossy.model_validate(given_configuration))
    assert [problem.path for problem in caught.value.problems] == [path]


class Forbidding(ActionConfig):
    model_config = ConfigDict(extra="forbid")

    key: SecretStr | None = Field(None, alias="apiKey")
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    either: SecretStr | int | None = None
    logins: list[Login] = Field(default_factory=list)
    count: int = 0


class ForbiddingHandler(BaseActionHandler):
    """Runs nothing; a test validates with it."""

    config_class = Forbidding
    flavor_class = property(lambda self: ForbiddingFlavor)

    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> None:
        """Do nothing."""


class ForbiddingFlavor(BaseActionFlavor):
    """For `ForbiddingHandler`."""

    SUBTYPE, FLAVOR = "test", "forbidding"
    PLUGIN_CLASS, ACTION_CONFIG_CLASS = ForbiddingHandler, Forbidding


@pytest.mark.parametrize(
    "configuration",
    [
        {"apiKey": 31415926},
        {"key": 31415926},
        {"headers": "31415926"},
        {"headers": {"Authorization": 31415926}},
        {"either": 31415926.5},
        {"logins": "31415926"},
        {"logins": [{"user": "a", "password": 31415926}]},
        {"apiKeey": "31415926"},
        {"apiKey": ["31415926"]},
        {"apiKey": "31415926"},
    ],
    ids=str,
)
def test_no_error_tells_what_may_be_a_secret(configuration: dict[str, Any]) -> None:
    """Neither an error nor its traceback tells a value at, around or inside a secret, or under a misspelled key."""
    with pytest.raises(InvalidConfigurationError) as caught:
        ForbiddingHandler().validate_action_configuration(configuration)
    assert caught.value.problems
    assert "31415926" not in "".join(traceback.format_exception(caught.value))


def test_other_values_are_told_beside_secrets() -> None:
    """A wrong value that is no secret is shown, also in a model that has secrets."""
    with pytest.raises(InvalidConfigurationError) as caught:
        ForbiddingHandler().validate_action_configuration({"count": "many", "logins": [{"user": 7}]})
    assert [(problem.path, problem.value) for problem in caught.value.problems] == [
        ("logins[0].user", "7"),
        ("logins[0].password", None),
        ("count", "'many'"),
    ]


class Tree(BaseModel):
    secret: SecretStr
    children: list[Tree] = []


def test_models_that_contain_themselves_are_walked_once() -> None:
    """A recursive model does not make the search endless."""
    assert secret_fields(Tree) == {("secret",)}


@given(st.text("abcdef", min_size=4, max_size=8), st.text("abcdef ", max_size=30), st.text("abcdef ", max_size=30))
def test_masking_leaves_no_trace(secret: str, before: str, after: str) -> None:
    """Wherever a secret stands in a JSON value, nothing of it is left."""
    value = {"k": [before + secret + after, 1, None], secret: True}
    assert secret not in str(masked(value, [secret]))
    assert masked("nothing here", ["xyzw"]) == "nothing here"


def test_overlapping_secrets_are_masked_longest_first() -> None:
    """A secret that contains another is masked whole; very short ones are left alone."""
    assert masked("abcdefgh and abcd and ab", ["abcd", "abcdefgh", "ab"]) == f"{MASK} and {MASK} and ab"


@pytest.fixture
def secretive(app: Actium) -> Any:
    @action_flavor("test.secretive", config=Everywhere)
    def secretive(config: Everywhere) -> dict[str, str]:
        """Fails with its secret in the message."""
        assert config.token is not None
        raise ValueError(f"cannot log in with {config.token.get_secret_value()}")

    app.flavors.register(secretive)
    account = app.accounts.create(ServiceAccountRequest(name="a"))

    def create(configuration: dict[str, Any]) -> Any:
        return app.actions.create(
            ActionRequest(
                name="s",
                plugin_subtype="test",
                flavor="secretive",
                service_account_id=account.id,
                configuration=configuration,
            )
        )

    return create


def test_no_secret_is_in_the_store_the_log_an_error_or_a_response(
    app: Actium,
    secretive: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After literals were refused and a run failed with its secret in the message, no trace of either is anywhere."""
    with pytest.raises(InvalidConfigurationError) as caught:
        secretive({"token": "literal-secret"})
    with pytest.raises(InvalidConfigurationError) as wrong:
        secretive({"logins": [{"user": 7, "password": 1234567890}], "token": ["listed-secret"]})
    monkeypatch.setenv("TOKEN", "resolved-secret")
    action = secretive({"token": "env:TOKEN"})
    app.actions.run("s")
    app.worker().run_until_idle()
    (execution,) = app.executions.list(hydrate=True).items
    shown = [str(caught.value), str(wrong.value), str(action), str(execution), caplog.text]
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("actium.db*"))
    for secret in ("literal-secret", "listed-secret", "1234567890", "resolved-secret"):
        assert not any(secret in text for text in shown), secret
        assert secret.encode() not in stored, secret
    assert action.configuration["token"] == "env:TOKEN"
    assert "cannot log in with **********" in str(execution.reason)
