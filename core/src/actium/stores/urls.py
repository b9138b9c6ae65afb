"""From a URL to an open store. Further kinds of store are plugins (entry point group ``actium.stores``)."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from actium.errors import ActiumError, InvalidInputError, PluginError
from actium.stores.base_store import BaseStore

GROUP = "actium.stores"
_SYNCHRONOUS = ("full", "normal")


def open_store(url: str) -> BaseStore:
    """Open the store that a URL names.

    ``sqlite:///actium.db`` is a file beside the process, ``sqlite:////var/lib/actium.db`` one with an absolute path,
    ``sqlite://`` a store in memory. ``?synchronous=normal`` gives up surviving power cuts for speed. For another
    scheme, the entry point of that name in the group ``actium.stores`` is called with the URL.

    Raises:
        InvalidInputError: The URL cannot be understood, or nothing installed knows its scheme.
        StoreError: The store cannot be opened.
    """
    scheme, colon, _ = url.partition("://")
    if not colon:
        raise InvalidInputError(f"{url!r} is no store URL.", hint="Write e.g. sqlite:///actium.db.")
    if scheme == "sqlite":
        return _open_sqlite(url)
    return _open_plugin(scheme, url)


def _open_sqlite(url: str) -> BaseStore:
    from actium.stores.sqlite.store import SQLiteStore

    parts = urlsplit(url)
    if parts.netloc:
        raise InvalidInputError(
            f"{url!r} names the host {parts.netloc!r}; a file has none.",
            hint=f"Write three slashes: sqlite:///{parts.netloc}{parts.path}.",
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    synchronous = options.pop("synchronous", "full")
    if options or synchronous not in _SYNCHRONOUS:
        raise InvalidInputError(
            f"{url!r} has an option that is not known.", hint="Known are synchronous=full and synchronous=normal."
        )
    name = parts.path.removeprefix("/")
    path = None if name in {"", ":memory:"} else Path(name)
    return SQLiteStore(path, synchronous=synchronous.upper())


def _open_plugin(scheme: str, url: str) -> BaseStore:
    from importlib_metadata import entry_points

    found = entry_points(group=GROUP)
    for entry_point in found:
        if entry_point.name == scheme:
            try:
                store = entry_point.load()(url)
            except ActiumError:
                raise
            except Exception as error:
                raise PluginError(
                    f"The store plugin {scheme!r} ({entry_point.value}) cannot open this URL: "
                    f"{type(error).__name__}: {error}.",
                    hint="Check the URL; if it is right, install the plugin's distribution again.",
                ) from error
            if not isinstance(store, BaseStore):
                raise PluginError(f"The store plugin {scheme!r} made {type(store).__name__}, which is no BaseStore.")
            return store
    known = ", ".join(sorted({"sqlite", *(entry_point.name for entry_point in found)}))
    raise InvalidInputError(
        f"Nothing installed knows stores of the kind {scheme!r}.", hint=f"Known are {known}; or install a plugin."
    )
