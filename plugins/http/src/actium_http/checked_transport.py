"""Connects to nothing but addresses that are allowed: a name is resolved once, and what was checked is connected to.

A second look-up, as every ordinary client makes, could give another address than the first, one that was never
checked ("DNS rebinding").
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Collection

import httpx

from actium_http.addresses import Address, Network, is_allowed, literal_address, unmapped
from actium_http.errors import ForbiddenAddressError

Resolve = Callable[[str, int], list[str]]
"""Gives the addresses of a name, for a port; raises OSError where there are none."""


def resolve(name: str, port: int) -> list[str]:
    """The addresses of a name, as the system knows them."""
    return [str(found[4][0]) for found in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]


class CheckedTransport(httpx.AsyncBaseTransport):
    """A transport that resolves and checks before it connects. Requests keep their names in Host and TLS."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport, *, allowed: Collection[Network], resolve: Resolve = resolve
    ) -> None:
        """Make a transport.

        Args:
            transport: What sends the requests then.
            allowed: What is allowed besides public addresses.
            resolve: What looks names up.
        """
        self._transport = transport
        self._allowed = allowed
        self._resolve = resolve

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the first of its host's addresses that takes a connection.

        Raises:
            ForbiddenAddressError: None of them is allowed.
            httpx.TransportError: There is no such host, no connection, or one that breaks; or it is no HTTP.
        """
        if request.url.scheme not in {"http", "https"}:
            raise httpx.UnsupportedProtocol(f"{request.url.scheme}://", request=request)
        host = request.url.raw_host.decode("ascii")
        *others, last = await self._checked(host, request)
        for address in others:
            try:
                return await self._sent(request, host, address)
            except httpx.ConnectError:  # nothing was sent
                continue
        return await self._sent(request, host, last)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._transport.aclose()

    async def _sent(self, request: httpx.Request, host: str, address: Address) -> httpx.Response:
        addressed = httpx.Request(
            request.method,
            request.url.copy_with(host=str(address)),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        return await self._transport.handle_async_request(addressed)

    async def _checked(self, host: str, request: httpx.Request) -> list[Address]:
        literal = literal_address(host)
        addresses = [literal] if literal is not None else await self._resolved(host, request)
        allowed = [unmapped(address) for address in addresses if is_allowed(address, self._allowed)]
        if not allowed:
            raise ForbiddenAddressError(
                f"{host} leads to {', '.join(map(str, addresses))}, which is not public.",
                hint="Add its network to `allowed_networks` if this action is meant to go there.",
            )
        return allowed

    async def _resolved(self, host: str, request: httpx.Request) -> list[Address]:
        port = request.url.port or {"https": 443}.get(request.url.scheme, 80)
        try:
            names = await _in_a_thread(lambda: self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"{host} cannot be resolved: {error}", request=request) from error
        addresses = [address for name in dict.fromkeys(names) if (address := literal_address(name)) is not None]
        if not addresses:
            raise httpx.ConnectError(f"{host} has no address", request=request)
        return addresses


async def _in_a_thread(look_up: Callable[[], list[str]]) -> list[str]:
    """Look up without blocking the loop, in a thread that nobody waits for when the time is over."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def settle(names: list[str] | None, error: BaseException | None) -> None:
        if found.done():  # it was cancelled
            return
        if names is None:
            found.set_exception(error or OSError("nothing was found"))
        else:
            found.set_result(names)

    def work() -> None:
        names, problem = None, None
        try:
            names = look_up()
        except Exception as error:  # raised where it is awaited
            problem = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, names, problem)

    threading.Thread(target=work, name="actium-http-look-up", daemon=True).start()
    return await found
