"""Where requests may go: which addresses, checked at which moment, also after redirects."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium import ExecutionStatus, TriggerExecutionResponse
from actium_http.addresses import is_allowed
from actium_http.checked_transport import CheckedTransport, resolve
from actium_http.errors import ForbiddenAddressError

if TYPE_CHECKING:
    from conftest import Endpoint

Run = Callable[..., TriggerExecutionResponse]
LOOPBACK = [ip_network("127.0.0.0/8")]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "2001:db8::1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:101:101::",
        "2001::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    """Private, loopback, link-local and other special addresses are refused, in whichever way they are written."""
    assert not is_allowed(ip_address(address), [])


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    """Public addresses are allowed, also through the gateways of IPv6."""
    assert is_allowed(ip_address(address), [])


@given(number=st.integers(0, 2**32 - 1))
def test_no_spelling_of_an_address_opens_a_way(number: int) -> None:
    """An IPv4 address that is refused is refused in every IPv6 form that may lead to it."""
    address = IPv4Address(number)
    forms = [f"::ffff:{address}", f"64:ff9b::{address}", f"2002:{number >> 16:x}:{number & 0xFFFF:x}::"]
    if not is_allowed(address, []):
        assert not any(is_allowed(ip_address(form), []) for form in forms)


@given(number=st.integers(0, 2**32 - 1))
def test_what_is_allowed_is_allowed_in_its_networks_only(number: int) -> None:
    """A configured network allows its own addresses and changes nothing for others."""
    address = IPv4Address(number)
    expected = address in LOOPBACK[0] or is_allowed(address, [])
    assert is_allowed(address, LOOPBACK) == is_allowed(ip_address(f"::ffff:{address}"), LOOPBACK) == expected


def test_names_are_checked_when_they_are_resolved(run: Run, endpoint: Endpoint) -> None:
    """A name that leads to this machine is refused for good, and nothing is sent."""
    url = f"http://localhost:{endpoint.server_port}/"
    execution = run(url=url, allowed_networks=[], run_policy={"max_attempts": 3})
    assert (execution.status, execution.attempt) == (ExecutionStatus.FAILED, 1)
    assert "ForbiddenAddressError: " in str(execution.reason)
    assert "which is not public" in str(execution.reason)
    assert not endpoint.asked


def test_the_environments_proxies_are_not_used(run: Run, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve names by itself, unchecked; those of the environment are not asked."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert run(url=endpoint.url).status is ExecutionStatus.SUCCEEDED


class Names:
    """Resolves names to this machine, and then to something else: what a rebinding attacker's server does."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, name: str, port: int) -> list[str]:
        self.asked.append(name)
        return self.answers.pop(0)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1"])
def test_odd_spellings_are_checked(host: str) -> None:
    """What only the system takes for an address is checked as the address that it takes it for."""
    with pytest.raises(ForbiddenAddressError, match="leads to 127.0.0.1"):
        get(f"http://{host}/", resolve, allowed=[])


def get(
    url: str, names: Callable[[str, int], list[str]], verify: ssl.SSLContext | bool = True, allowed: Any = LOOPBACK
) -> httpx.Response:
    """Send a GET through a checked transport that may reach this machine."""

    async def send() -> httpx.Response:
        inner = httpx.AsyncHTTPTransport(verify=verify)
        transport = CheckedTransport(inner, allowed=allowed, resolve=names)
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.get(url)

    return asyncio.run(send())


def test_what_was_checked_is_what_is_connected_to(endpoint: Endpoint) -> None:
    """A name is looked up once: a second answer of its server, to another address, is never asked for."""
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    assert get(f"http://shop.example:{endpoint.server_port}/", names).status_code == 200
    assert names.asked == ["shop.example"]
    assert endpoint.asked[0].headers["Host"] == f"shop.example:{endpoint.server_port}"


def test_of_several_addresses_only_those_allowed_are_tried(endpoint: Endpoint) -> None:
    """Where a name has allowed and other addresses, the others are left out."""
    names = Names(["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"])
    assert get(f"http://shop.example:{endpoint.server_port}/", names).status_code == 200


def test_the_next_address_is_tried(endpoint: Endpoint) -> None:
    """Where nobody listens at the first address, the next one is asked."""
    names = Names(["127.0.0.2", "127.0.0.1"])
    assert get(f"http://shop.example:{endpoint.server_port}/", names).status_code == 200
    assert len(endpoint.asked) == 1


def test_a_name_without_an_allowed_address_is_refused(endpoint: Endpoint) -> None:
    """The error tells where the name led."""
    with pytest.raises(ForbiddenAddressError, match=r"shop.example leads to 10.0.0.1, ::1"):
        get(f"http://shop.example:{endpoint.server_port}/", Names(["10.0.0.1", "::1"]))


def test_a_name_that_nobody_knows_is_no_connection() -> None:
    """A name that cannot be resolved is a failure to connect, which may pass."""

    def fail(name: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(httpx.ConnectError, match=r"shop.example cannot be resolved: no such name"):
        get("http://shop.example/", fail)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A new certificate for shop.example, with its key."""
    openssl = which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    path = tmp_path / "shop.pem"
    command = f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=shop.example"
    names = ["-addext", "subjectAltName=DNS:shop.example", "-keyout", str(path), "-out", str(tmp_path / "public.pem")]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (tmp_path / "public.pem").read_bytes())
    return path


@pytest.fixture
def secure_port(certificate: Path) -> Iterator[int]:
    """The port of a server that speaks TLS as shop.example."""

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Clients that do not trust it leave."""

    with Server(("127.0.0.1", 0), Hello) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_certificates_are_checked_for_the_name(secure_port: int, certificate: Path) -> None:
    """That an address is connected to changes nothing for TLS: the certificate must be the name's."""
    trusting = ssl.create_default_context(cafile=certificate.with_name("public.pem"))
    assert get(f"https://shop.example:{secure_port}/", Names(["127.0.0.1"]), trusting).status_code == 200
    with pytest.raises(httpx.ConnectError, match="other.example"):
        get(f"https://other.example:{secure_port}/", Names(["127.0.0.1"]), trusting)


def test_certificates_must_be_trusted(secure_port: int) -> None:
    """A certificate of no known authority is refused."""
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        get(f"https://shop.example:{secure_port}/", Names(["127.0.0.1"]))
