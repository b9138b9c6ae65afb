"""From a URL to an open store. SQLite's are opened here, others by whoever knows what is installed."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

from actium.errors import InvalidInputError, StoreError
from actium.stores.base_store import BaseStore

MASK = "***"

OpenOther = Callable[[str, str], BaseStore]
"""Opens a store by the scheme of its URL, in lower case, and the URL."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.ASCII | re.IGNORECASE)
_OPTION = re.compile(r"([?&;][^=&;]*=)([^&;]*)")
_MASKED_OPTION = rf"\1{MASK}"
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_SYNCHRONOUS = ("full", "normal")


def open_store(url: str, *, open_other: OpenOther | None = None) -> BaseStore:
    """Open the store that a URL names.

    ``sqlite:///actium.db`` is a file beside the process, ``sqlite:////var/lib/actium.db`` one with an absolute path,
    ``sqlite://`` a store in memory. ``?synchronous=normal`` gives up surviving power cuts for speed. The file's name
    is percent-decoded, so that ``%3F`` is a question mark and ``%25`` a per cent sign; ``#`` and ``~`` are letters
    like others.

    Args:
        url: The URL. Its scheme may be written in capitals.
        open_other: Opens what is not SQLite's, as `actium.plugins.store_plugins.StorePlugins` does for an application;
            without it nothing else can be opened.

    Raises:
        InvalidInputError: The URL cannot be understood, or nothing installed knows its scheme.
        PluginError: The plugin that knows its scheme cannot be used.
        StoreError: The store cannot be opened.
    """
    _check_text(url)
    match = _SCHEME.match(url)
    if match is None:
        raise InvalidInputError(f"{shown_url(url)!r} is no store URL.", hint="Write e.g. sqlite:///actium.db.")
    scheme = match[1].lower()
    if scheme == "sqlite":
        return _open_sqlite(url, url[match.end() :])
    if open_other is None:
        raise unknown_kind(scheme)
    return open_other(scheme, url)


def sqlite_url(path: Path | None, synchronous: str) -> str:
    """The URL that opens a SQLite store again, from any working folder."""
    if path is None:
        return "sqlite://"
    options = "" if synchronous.lower() == "full" else f"?synchronous={synchronous.lower()}"
    return f"{_url_of(str(path.absolute()))}{options}"


def shown_url(url: str) -> str:
    """A URL without what may be secret: who connects, and the values of options. It is no URL any more then."""
    match = _SCHEME.match(url)
    scheme, rest = ("", url) if match is None else (match[0], url[match.end() :])
    address, mark, options = rest.partition("?")
    if "@" in address and not address.startswith("/"):
        address = f"{MASK}@{address.rpartition('@')[2]}"
    elif "@" in options:  # which may belong to a password with a question mark
        return f"{scheme}{MASK}"
    return f"{scheme}{_OPTION.sub(_MASKED_OPTION, address + mark + options)}"


def secrets_in(url: str) -> Iterator[str]:
    """What may be secret in a URL, as it is written and as it is meant."""
    match = _SCHEME.match(url)
    rest = url if match is None else url[match.end() :]
    user = rest.rpartition("@")[0]
    for text in (user, *user.split(":", 1), *(value for _, value in _OPTION.findall(rest))):
        yield from {text, unquote(text)}


def unknown_kind(scheme: str, known: Iterable[str] = ()) -> InvalidInputError:
    """The error that nobody opens URLs of a scheme."""
    return InvalidInputError(
        f"Nothing installed knows stores of the kind {scheme!r}.",
        hint=f"Known are {', '.join(sorted({'sqlite', *known}))}; or install a plugin.",
    )


def _check_text(url: object) -> None:
    if isinstance(url, Path):
        raise InvalidInputError(
            f"A store URL is text, not the path {str(url)!r}.", hint=f"Write {_url_of(str(url))!r}."
        )
    if not isinstance(url, str):
        raise InvalidInputError(
            f"A store URL is text, not {reprlib.repr(url)}.", hint="Write e.g. sqlite:///actium.db."
        )
    if _UNPRINTABLE.search(unquote(url)):
        raise InvalidInputError(
            f"The store URL {shown_url(url)!r} has control characters or unpaired surrogates.",
            hint="Look where they come from, such as a line that was read with its end.",
        )


def _open_sqlite(url: str, rest: str) -> BaseStore:
    from actium.stores.sqlite.store import SQLiteStore

    location, _, query = rest.partition("?")
    host, slash, path = location.partition("/")
    if host:
        meant = "actium.db" if "@" in rest else f"{host}{slash}{path}"  # it may hold a password
        raise InvalidInputError(
            f"{shown_url(url)!r} names a host; a file has none.", hint=f"Write three slashes: sqlite:///{meant}."
        )
    synchronous = _synchronous(url, query)
    name = _decoded(url, path)
    if name.startswith("~"):
        raise InvalidInputError(
            f"The file of {shown_url(url)!r} begins with ~, which nothing replaces by a home here.",
            hint=f"Write the whole path, sqlite:////home/...; or {_url_of(f'./{name}')} for a file of this name.",
        )
    file = None if name in {"", ":memory:"} else Path(name)
    try:
        return SQLiteStore(file, synchronous=synchronous.upper())
    except OSError as error:
        raise StoreError(
            f"The store {name!r} cannot be reached: {error.strerror}.", hint="Check its folder, and who may read it."
        ) from error


def _decoded(url: str, path: str) -> str:
    try:
        return unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"The percent signs of {shown_url(url)!r} stand for bytes that are no text in UTF-8.",
            hint="Write what they mean in UTF-8, such as %C3%A4 for ä, and %25 for a per cent sign itself.",
        ) from error


def _synchronous(url: str, query: str) -> str:
    options = dict(parse_qsl(query, keep_blank_values=True))
    synchronous = options.pop("synchronous", "full")
    if options or synchronous not in _SYNCHRONOUS:
        raise InvalidInputError(
            f"{shown_url(url)!r} has an option that is not known.",
            hint="Known are synchronous=full and synchronous=normal; a question mark in a file's name is %3F.",
        )
    return synchronous


def _url_of(path: str) -> str:
    return f"sqlite:///{quote(path, errors='backslashreplace')}"
