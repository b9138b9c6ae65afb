"""Opening stores that plugins know, by the schemes of their URLs: blocked, claimed and broken like any plugin."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn, cast

from actium.auth.secret_references import masked
from actium.errors import ActiumError, PluginError
from actium.plugins.installed import STORES, InstalledPlugins, in_words, names_in, origin_of
from actium.stores.base_store import BaseStore
from actium.stores.urls import secrets_in, shown_url, unknown_kind


class StorePlugins:
    """The store plugins that are installed and not blocked; nothing is looked for before a URL asks for it."""

    def __init__(self, *, blocked: Sequence[str] = (), path: Sequence[str] | None = None) -> None:
        """Look for nothing yet.

        Args:
            blocked: Names of plugins or of distributions that are not to be used; ``ACTIUM_BLOCK`` adds to them.
            path: Where to look for distributions; None for ``sys.path``.
        """
        self._installed = InstalledPlugins(path=path, blocked=(*blocked, *names_in("ACTIUM_BLOCK")))

    def open(self, scheme: str, url: str) -> BaseStore:
        """Open a store. What may be secret in its URL is masked in errors, whoever raises them.

        Raises:
            InvalidInputError: No plugin knows the scheme.
            PluginBlockedError, PluginQuarantinedError, DuplicateFlavorError: The plugin cannot be used.
            PluginError: It fails, or makes no store.
            ActiumError: Whatever else it raises of Actium's own.
        """
        record = self._installed.only_claim(STORES, scheme)
        if record is None:
            raise unknown_kind(scheme, self._installed.names(STORES))
        opener = cast("Callable[[str], object]", self._installed.imported(STORES, record))
        origin = origin_of(record)
        try:
            store = opener(url)
        except ActiumError as error:
            _raise_masked(error, url)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            told = PluginError(
                f"The plugin {origin} cannot open {shown_url(url)!r}: {in_words(error).removesuffix('.')}.",
                hint="Check the URL; if it is right, ask the plugin's author, or install its distribution again.",
            )
            told.__cause__ = error
            _raise_masked(told, url)
        if not isinstance(store, BaseStore):
            raise PluginError(
                f"The plugin {origin} made {type(store).__name__}, which is no BaseStore.",
                hint="Its author has to name a function that is called with a URL and gives a store.",
            )
        return store


def _raise_masked(error: ActiumError, url: str) -> NoReturn:
    """Raise an error without what may be secret in a URL; without its cause, where that tells it in its own words."""
    secrets = tuple(secrets_in(url))

    def clean(text: str) -> str:
        return str(masked(text.replace(url, shown_url(url)), secrets))

    error.message = clean(error.message)
    error.hint = None if error.hint is None else clean(error.hint)
    error.args = tuple(clean(each) if isinstance(each, str) else each for each in error.args)
    own = "".join(traceback.format_exception_only(error))
    if clean(own) != own:  # in a note, or in what its class adds
        raise PluginError(clean(str(error))) from None
    written = "".join(traceback.format_exception(error))
    if clean(written) != written:
        raise error from None
    raise error
