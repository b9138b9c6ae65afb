"""No secret is shown, however it is spelled, cut, refused or passed through, and whenever it becomes known as one."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr
from tracing_helpers import Run, named

from actium import ActionConfig, Actium, Event, action_flavor, hookimpl, trace
from actium.auth.secret_references import MASK, masked
from actium.errors import InvalidConfigurationError
from actium.models import ActionRequest, ActionUpdate, ServiceAccountRequest
from actium.tracing.failures import failure_of
from actium.tracing.masking import TraceMask
from actium.tracing.spans import Trace

# Spellings

CORE = "Qx7Zv9Kw2Jp4"
SECOND = "Hm3Tb8Ld5Ny6"
"""What every secret here holds, and nothing else does."""

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "repr": repr,
    "repr beside a quote": lambda secret: repr("it's " + secret),
    "repr beside both quotes": lambda secret: repr("it's \"" + secret),
    "ascii": ascii,
    "ascii beside both quotes": lambda secret: ascii("it's \"" + secret),
    "repr of bytes": lambda secret: repr(secret.encode()),
    "repr of bytes beside both quotes": lambda secret: repr(b"it's \"" + secret.encode()),
    "JSON": json.dumps,
    "JSON that is not ASCII": lambda secret: json.dumps(secret, ensure_ascii=False),
    "JSON in JSON": lambda secret: json.dumps(json.dumps({"a": secret})),
    "repr of JSON": lambda secret: repr(json.dumps({"a": secret})),
    "repr of JSON as bytes": lambda secret: repr(json.dumps({"a": secret}, ensure_ascii=False).encode()),
    "path of a URL": quote,
    "part of a URL": lambda secret: quote(secret, safe=""),
    "part of a URL in small letters": lambda secret: percent_in_small_letters(quote(secret, safe="")),
    "part of a URL in a URL": lambda secret: quote(quote(secret, safe=""), safe=""),
    "form": quote_plus,
    "HTML": html.escape,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 of a URL": lambda secret: base64.urlsafe_b64encode(b"user:" + secret.encode()).decode().rstrip("="),
}
LATIN: dict[str, Callable[[str], str]] = {
    "repr of bytes in Latin-1": lambda secret: repr(secret.encode("latin-1")),
    "part of a URL in Latin-1": lambda secret: quote(secret, safe="", encoding="latin-1"),
    "base64 of Latin-1": lambda secret: base64.b64encode(b"x:" + secret.encode("latin-1")).decode(),
}


def percent_in_small_letters(text: str) -> str:
    parts = text.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])


def assert_masked(secret: str, spelled: str) -> None:
    shown = masked(f"before {spelled} after", [secret])
    assert MASK in shown
    assert CORE not in shown
    assert CORE not in decoded(shown)
    assert shown.startswith("before ")
    assert shown.endswith(" after")


def decoded(text: str) -> str:
    """What base64 hides in a text, as far as it can be read."""
    read = []
    for word in text.replace(MASK, " ").replace("-", "+").replace("_", "/").split():
        for start in range(4):
            part = word[start : start + (len(word) - start) // 4 * 4]
            try:
                read.append(base64.b64decode(part, validate=True).decode("latin-1"))
            except ValueError:
                continue
    return " ".join(read)


@pytest.mark.parametrize("spelling", [*SPELLINGS, *LATIN])
@pytest.mark.parametrize("around", ["", "'", '"', "\\", "é", "'\"\\/+&<é §% "], ids=ascii)
def test_every_spelling_is_masked(spelling: str, around: str) -> None:
    """A secret is found in whatever way a program may have written it down."""
    secret = f"{CORE}{around}{CORE}"
    assert_masked(secret, {**SPELLINGS, **LATIN}[spelling](secret))


@given(
    before=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), max_size=6),
    after=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), max_size=6),
    spelling=st.sampled_from(list(SPELLINGS)),
)
def test_whatever_it_is_made_of(before: str, after: str, spelling: str) -> None:
    """Whatever characters a secret has, every spelling of it is masked whole."""
    secret = f"{before}{CORE}{after}"
    assert_masked(secret, SPELLINGS[spelling](secret))


# Names and texts that tell

TEXTS = [
    f"password={CORE} next",
    f'password="two {CORE}" next',
    f'{{"password": "two {CORE}", "user": "x"}} next',
    f'{{\\"password\\": \\"two {CORE}\\"}} next',
    f"PGPASSWORD={CORE} next",
    f"pwd: '{CORE}",
    f"secret=a\\{CORE} next",
    f"Cookie: session={CORE}; other={CORE}",
    f"'Set-Cookie': 'a={CORE}', 'next': 1",
    f"authorization: Bearer {CORE} next",
    f"postgres://user:{CORE}@host/next",
    f"private_key='-- {CORE} --' next",
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_looks_like_a_secret_in_a_text(text: str) -> None:
    """What stands behind a telling name in a text is masked to its end, and what follows it stays."""
    shown = TraceMask([]).text(text)
    assert CORE not in shown
    assert shown.endswith("next") == text.endswith("next")


@pytest.mark.parametrize(
    "text", ["keyboard=5 author=me", "token: env:TOKEN", "the password is wrong", "password:\nwrong", "tokens 17"]
)
def test_what_does_not_stays(text: str) -> None:
    """References, and texts that only speak of secrets, are shown."""
    assert TraceMask([]).text(text) == text


# Changes of actions


class Login(BaseModel):
    user: str = ""
    way_in: SecretStr = SecretStr("env:NOWHERE")


class LoginConfig(ActionConfig):
    """Holds secrets under names that tell nothing, in every way."""

    login: Login = Login()
    logins: list[Login] = Field(default_factory=list)
    by_name: dict[str, SecretStr] = Field(default_factory=dict)


@action_flavor("test.login", config=LoginConfig)
def login() -> None:
    """It is never run."""


class Refusing:
    """A hook plugin that refuses what it is given, and says it all."""

    @hookimpl(wrapper=True)
    def create_action(self, action: ActionRequest) -> Any:
        raise ValueError(f"not this: {action.configuration}")
        yield


@pytest.fixture
def traces() -> list[Trace]:
    return []


@pytest.fixture(params=[(), (Refusing(),)], ids=["refused by Actium", "refused by a hook"])
def traced(tmp_path: Path, traces: list[Trace], request: pytest.FixtureRequest) -> Iterator[Actium]:
    with Actium(f"sqlite:///{tmp_path / 'actium.db'}", trace=traces.append, hooks=request.param) as app:
        app.flavors.register(login)
        app.accounts.create(ServiceAccountRequest(name="robot"))
        yield app


LITERALS = [
    {"login": {"way_in": CORE}},
    {"logins": [{"way_in": "env:HOME"}, {"way_in": CORE}]},
    {"by_name": {"x": CORE}},
    {"login": {"way_in": {"oddly": [CORE]}}},
    {"login": {"way_in": int.from_bytes(b"12345")}},
]


@pytest.mark.parametrize("configuration", LITERALS, ids=repr)
def test_a_literal_that_is_refused(traced: Actium, traces: list[Trace], configuration: dict[str, Any]) -> None:
    """A secret that someone writes where a reference belongs is refused, and no trace of the call shows it."""
    account = traced.accounts.get("robot").id
    request = ActionRequest(
        name="a", plugin_subtype="test", flavor="login", service_account_id=account, configuration=configuration
    )
    with pytest.raises((InvalidConfigurationError, ValueError)):
        traced.actions.create(request)
    [shown] = traces
    assert CORE not in str(shown)
    assert str(int.from_bytes(b"12345")) not in str(shown)
    assert MASK in str(named(shown, "create_action", shown.spans[0].kind).arguments)


def test_a_literal_in_an_update(traced: Actium, traces: list[Trace]) -> None:
    """The same holds for updates."""
    account = traced.accounts.get("robot").id
    request = ActionRequest(name="a", plugin_subtype="test", flavor="login", service_account_id=account)
    try:
        traced.actions.create(request)
    except ValueError:
        return  # by the hook that refuses every creation
    traces.clear()
    with pytest.raises(InvalidConfigurationError):
        traced.actions.update("a", ActionUpdate(configuration={"login": {"way_in": CORE}}))
    assert traces
    assert CORE not in str(traces)


class Telling:
    """A hook plugin that learns of a secret while an action is created."""

    @hookimpl(wrapper=True)
    def create_action(self) -> Any:
        with trace.span("ask", with_what=f"the key {CORE}"):
            trace.secret(CORE)
        yield
        raise ValueError(f"they do not know {CORE}")


def test_what_is_registered_while_an_action_is_created(tmp_path: Path, traces: list[Trace]) -> None:
    """What a plugin tells to be secret is masked in the traces of lifecycle hooks, also where it was told before."""
    with Actium(f"sqlite:///{tmp_path / 'actium.db'}", trace=traces.append, hooks=[Telling()]) as app:
        app.flavors.register(login)
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        request = ActionRequest(
            name="login", description=CORE, plugin_subtype="test", flavor="login", service_account_id=account.id
        )
        with pytest.raises(ValueError, match="do not know"):
            app.actions.create(request)
    shown = traces[0]
    assert CORE not in str(traces)
    assert MASK in str(named(shown, "ask").arguments)


class Asking:
    """A hook plugin that learns of a secret while an event is published, and when an execution has ended."""

    @hookimpl(wrapper=True)
    def publish_event(self) -> Any:
        with trace.span("before", with_what=CORE):
            trace.secret(CORE)
        published = yield
        with trace.span("after", with_what=CORE):
            return published

    @hookimpl
    def event_published(self) -> None:
        with trace.span("told", with_what=CORE):
            pass

    @hookimpl
    def execution_changed(self, trigger_execution: Any) -> None:
        with trace.span(f"saw {trigger_execution.status}", with_what=SECOND):
            trace.secret(SECOND)


def test_what_is_registered_around_an_event(tmp_path: Path, traces: list[Trace], run_function: Run) -> None:
    """What a plugin tells to be secret is masked in what is traced of publishing, and of the end of an execution."""

    def nothing() -> None:
        """Do nothing."""

    with Actium(f"sqlite:///{tmp_path / 'actium.db'}", trace=traces.append, hooks=[Asking()]) as app:
        run_function(app, nothing, event=Event(type="a.b", source="/s"))
    spans = {span.name for shown in traces for span in shown.spans}
    assert {"before", "after", "told", "saw running", "saw succeeded"} <= spans
    assert CORE not in str(traces)
    assert SECOND not in str(traces)


# Cuts


@pytest.mark.parametrize("place", range(32_768 - 14, 32_768 + 2))
def test_errors_are_masked_before_they_are_shortened(
    tmp_path: Path, run_function: Run, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """Wherever a secret stands in a long error, no half of it is left where the middle is left out."""

    def failing() -> None:
        trace.secret(CORE)
        raise ValueError("." * place + CORE + "." * 70_000)

    with Actium(f"sqlite:///{tmp_path / 'actium.db'}?synchronous=normal") as app:
        ended = run_function(app, failing)
    told = f"{ended.reason}{ended.error}"
    assert "characters left out" in told
    assert CORE[:6] not in told
    assert CORE[-6:] not in told


@pytest.mark.parametrize("place", range(986, 1_002))
def test_what_is_registered_after_a_large_value_was_cut(tmp_path: Path, run_function: Run, place: int) -> None:
    """A secret that becomes known later leaves nothing of itself before a cut that was made earlier."""

    def running() -> None:
        text = "." * place + CORE + "." * 70_000
        with trace.span("look", text=text, nested={"in": [text]}):
            trace.secret(CORE)
        raise ValueError("so that the trace is kept")

    with Actium(f"sqlite:///{tmp_path / 'actium.db'}?synchronous=normal") as app:
        ended = run_function(app, running)
        told = str(app.executions.trace(ended.id))
    assert "70," in told or "71," in told
    assert CORE[:4] not in told


# What wrappers get


class Passing:
    @hookimpl(wrapper=True)
    def run_action(self) -> Any:
        return (yield)


def test_a_result_that_is_an_exception(tmp_path: Path) -> None:
    """A wrapper that gets an exception as a result got a result; one that gets an exception raised, an exception."""
    shown: list[Trace] = []
    with Actium(f"sqlite:///{tmp_path / 'actium.db'}", trace=shown.append, hooks=[Passing()]) as app:
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        for name, way in (("returning", lambda: ValueError("returned")), ("raising", lambda: 1 / 0)):
            app.flavors.register(action_flavor(f"test.{name}")(function_of(way)))
            request = ActionRequest(name=name, plugin_subtype="test", flavor=name, service_account_id=account.id)
            app.actions.run(app.actions.create(request).id)
        app.worker().run_until_idle()
    after = [span for one in shown for span in one.spans if span.kind.value == "after"]
    assert sorted(next(iter(span.arguments)) for span in after) == ["exception", "result"]


def function_of(way: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        return way()

    return run


# Exceptions


class Nosy:
    """Notes that it was asked for its repr; others never answer."""

    asked = 0

    def __repr__(self) -> str:
        Nosy.asked += 1
        return "an answer"

    __str__ = __repr__


def odd_errors() -> Iterator[BaseException]:
    error = OSError(2, "not there")
    error.filename = Nosy()
    yield error
    wrong = SyntaxError("it does not fit")
    wrong.msg = Nosy()  # type: ignore[assignment]  # anyone can
    yield wrong
    missing = ImportError("not there")
    missing.msg = Nosy()  # type: ignore[assignment]  # anyone can
    yield missing


@pytest.mark.parametrize("error", list(odd_errors()), ids=lambda error: type(error).__name__)
def test_attributes_that_must_not_be_asked(error: BaseException) -> None:
    """No attribute of an exception is asked for its repr, although the exception's own text would ask."""
    failure_of(error)
    assert Nosy.asked == 0
