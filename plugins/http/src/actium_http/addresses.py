"""Which addresses a request may be sent to: public ones, and those that a configuration allows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_HOLD_IPV4 = (ip_network("64:ff9b::/96"), ip_network("::/96"))
"""Networks whose addresses end with an IPv4 one: that of NAT64, and one that is out of use."""

_LOCAL = (ip_network("64:ff9b:1::/48"), ip_network("2002::/16"), ip_network("fec0::/10"))
"""Local networks, and one out of use that leads to any IPv4 address, that some releases of Python take for public."""


def is_allowed(address: Address, allowed: Collection[Network]) -> bool:
    """Whether a request may be sent to an address.

    Args:
        address: Where to.
        allowed: What is allowed besides public addresses.
    """
    address = unmapped(address)
    return any(address in network for network in allowed) or all(map(_is_public, _meant(address)))


def literal_address(host: str) -> Address | None:
    """The address that a URL's host is; None where it is a name."""
    try:
        return ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def unmapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one is only another spelling of, otherwise the same."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _meant(address: Address) -> Iterator[Address]:
    """An address, and those that gateways on the way make of it."""
    yield address
    if any(address in network for network in _HOLD_IPV4):
        yield IPv4Address(int(address) & 0xFFFF_FFFF)


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not any(address in network for network in _LOCAL)
