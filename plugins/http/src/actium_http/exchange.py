"""Sends a request and follows its redirects, each of them checked like the first."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence

import httpx

from actium_http.answers import Answer, read_answer
from actium_http.checked_transport import CheckedTransport
from actium_http.configuration import HttpRequestConfig
from actium_http.errors import RequestRefusedError


async def exchange(
    config: HttpRequestConfig,
    *,
    headers: Mapping[str, str],
    secret_headers: Mapping[str, str],
    body: tuple[str, bytes] | None,
    secrets: Sequence[str],
    tls: ssl.SSLContext,
) -> Answer:
    """Send a request, and read the answer.

    Args:
        config: What to send.
        headers: Headers for every endpoint.
        secret_headers: Headers for the configured endpoint, and none that it redirects to.
        body: The body's media type and content; None for none.
        secrets: What must not be kept of the answer.
        tls: What authorities are trusted.

    Raises:
        ConnectionError: There was no whole answer.
        RequestRefusedError: A redirect leads to what is no HTTP.
        ForbiddenAddressError: It leads to where nothing may be sent to.
    """
    transport = CheckedTransport(httpx.AsyncHTTPTransport(verify=tls, trust_env=False), allowed=config.allowed_networks)
    # Proxies of the environment would resolve names themselves, unchecked.
    async with httpx.AsyncClient(transport=transport, timeout=None, trust_env=False) as client:  # noqa: S113 - the caller has a limit
        request = client.build_request(
            config.method,
            _url(config),
            headers=_headers(body, headers, secret_headers),
            content=None if body is None else body[1],
        )
        try:
            return await _followed(client, request, config, secret_headers=secret_headers, secrets=secrets)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise RequestRefusedError(f"A redirect leads to what is no URL of HTTP: {error}.") from error
        except httpx.HTTPError as error:
            raise ConnectionError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from error


async def _followed(
    client: httpx.AsyncClient,
    request: httpx.Request,
    config: HttpRequestConfig,
    *,
    secret_headers: Mapping[str, str],
    secrets: Sequence[str],
) -> Answer:
    for _ in range(config.max_redirects):
        response = await client.send(request, stream=True)
        if response.next_request is None:
            return await _read(response, config, secrets)
        await response.aclose()
        following = response.next_request
        if _origin(following.url) != _origin(request.url):
            for name in (*secret_headers, "Authorization", "Cookie"):
                following.headers.pop(name, None)
        request = following
    return await _read(await client.send(request, stream=True), config, secrets)


async def _read(response: httpx.Response, config: HttpRequestConfig, secrets: Sequence[str]) -> Answer:
    try:
        return await read_answer(response, limit=config.max_response_bytes, secrets=secrets)
    finally:
        await response.aclose()


def _url(config: HttpRequestConfig) -> httpx.URL:
    url = httpx.URL(str(config.url)).copy_with(fragment=None)
    return url.copy_merge_params(config.query) if config.query else url


def _headers(
    body: tuple[str, bytes] | None, headers: Mapping[str, str], secret_headers: Mapping[str, str]
) -> httpx.Headers:
    """All headers; a configured one takes the place of a default in any spelling."""
    every = httpx.Headers({} if body is None else {"Content-Type": body[0]})
    every.update({**headers, **secret_headers, "Accept-Encoding": "identity"})
    return every


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)
