"""From a URL to an open store. Further kinds of store are plugins (entry point group ``actium.stores``)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from actium.errors import ActiumError, InvalidInputError, PluginError
from actium.stores.base_store import BaseStore

_SYNCHRONOUS = ("full", "normal")

OpenStore: TypeAlias = Callable[[str], object]
"""What a store plugin is: called with a URL, it gives an open `BaseStore`."""


def open_store(url: str, *, find_plugin: Callable[[str], OpenStore | None] = lambda scheme: None) -> BaseStore:
    """Open the store that a URL names.

    ``sqlite:///actium.db`` is a file beside the process, ``sqlite:////var/lib/actium.db`` one with an absolute path,
    ``sqlite://`` a store in memory. ``?synchronous=normal`` gives up surviving power cuts for speed. As in every URL,
    ``%20`` stands for a space, and ``#`` and ``?`` in a file's name are written ``%23`` and ``%3F``.

    Args:
        url: Which store.
        find_plugin: Finds the store plugin of another scheme; `Actium` asks its registry, which knows those installed.

    Raises:
        InvalidInputError: The URL cannot be understood, or nothing installed knows its scheme.
        PluginError: The plugin of its scheme is broken or blocked.
        StoreError: The store cannot be opened.
    """
    parts = _split(url)
    if parts.scheme == "sqlite":
        return _open_sqlite(url, parts)
    plugin = find_plugin(parts.scheme)
    if plugin is None:
        raise InvalidInputError(
            f"Nothing installed knows stores of the kind {parts.scheme!r}.",
            hint="`actium plugin list` shows what is installed; sqlite is always there.",
        )
    return _open_plugin(plugin, url, parts.scheme)


def sqlite_url(path: Path | None, synchronous: str) -> str:
    """The URL that opens a SQLite store again, from any working folder."""
    if path is None:
        return "sqlite://"
    options = "" if synchronous.lower() == "full" else f"?synchronous={synchronous.lower()}"
    return f"sqlite:///{quote(str(path.absolute()))}{options}"


def without_password(url: str) -> str:
    """A URL as it may be shown: what stands before the host, and after ``?`` or ``#``, may hold secrets."""
    shown = re.sub(r"(?<=://)[^/?#]*@", "…@", url)
    return re.sub(r"[?#].*", "?…", shown, flags=re.DOTALL)


def _split(url: object) -> SplitResult:
    if isinstance(url, os.PathLike):
        raise InvalidInputError(f"{url!r} is a path, no store URL.", hint=f"Write 'sqlite:///{os.fspath(url)!s}'.")
    if not isinstance(url, str) or "://" not in url:
        shown = without_password(url) if isinstance(url, str) else url
        raise InvalidInputError(f"{shown!r} is no store URL.", hint="Write e.g. sqlite:///actium.db.")
    shown = without_password(url)
    if not url.isprintable():
        raise InvalidInputError(
            f"The store URL {shown!r} has characters that cannot be printed.",
            hint="Write them as %XX, if they are meant.",
        )
    try:
        return urlsplit(url)
    except ValueError as error:
        raise InvalidInputError(f"{shown!r} is no URL: {error}.", hint="Write e.g. sqlite:///actium.db.") from error


def _open_sqlite(url: str, parts: SplitResult) -> BaseStore:
    from actium.stores.sqlite.store import SQLiteStore

    if parts.netloc:
        raise InvalidInputError(
            f"{without_password(url)!r} names a host; a file has none.",
            hint="Write three slashes before a relative path, four before an absolute one: sqlite:///actium.db.",
        )
    if parts.fragment:
        raise InvalidInputError(
            f"{url!r} has a '#', behind which nothing of a file's name would count.",
            hint=f"Write it as %23: sqlite://{parts.path}%23{parts.fragment}.",
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    synchronous = options.pop("synchronous", "full")
    if options or synchronous not in _SYNCHRONOUS:
        raise InvalidInputError(
            f"{url!r} has an option that is not known.", hint="Known are synchronous=full and synchronous=normal."
        )
    name = unquote(parts.path.removeprefix("/"))
    if "\x00" in name:
        raise InvalidInputError(f"{url!r} names a file with a NUL byte.", hint="No file can be called so.")
    path = None if name in {"", ":memory:"} else Path(name)
    return SQLiteStore(path, synchronous=synchronous.upper())


def _open_plugin(plugin: OpenStore, url: str, scheme: str) -> BaseStore:
    try:
        store = plugin(url)
    except ActiumError:
        raise
    except Exception as error:
        # The cause is left out: drivers like to repeat the URL, with its password.
        raise PluginError(
            f"The store plugin {scheme!r} cannot open {without_password(url)!r}: {_told(error, url)}.",
            hint="Check the URL; if it is right, install the plugin's distribution again.",
        ) from None
    if not isinstance(store, BaseStore):
        raise PluginError(f"The store plugin {scheme!r} made {type(store).__name__}, which is no BaseStore.")
    return store


def _told(error: Exception, url: str) -> str:
    """What an exception says, without the URL and its password."""
    text = str(error).replace(url, without_password(url))
    password = urlsplit(url).password
    for secret in filter(None, (password, unquote(password or ""))):
        text = text.replace(secret, "…")
    return f"{type(error).__name__}: {text}"
