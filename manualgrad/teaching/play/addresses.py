"""Addresses at which other machines reach a server that listens on all interfaces."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

__all__ = ["ANY", "bracketed", "machine_names", "network_addresses"]

ANY = ("0.0.0.0", "::")  # hosts that mean all interfaces
_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}  # reserved for documentation, never assigned


def machine_names() -> list[str]:
    """Return the lower-case names that a network may use for the machine: its host name and its multicast DNS name."""
    name = socket.gethostname().lower()
    if not name or name.startswith("localhost"):
        return []
    return [name] if "." in name else [name, f"{name}.local"]


def network_addresses(host: str) -> list[str]:
    """Return the machine's network addresses, the one it sends from first: IPv4, and also IPv6 if the host is "::".

    Args:
        host: one of `ANY`.
    """
    found = []
    for family in (socket.AF_INET, socket.AF_INET6) if host == "::" else (socket.AF_INET,):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_ELSEWHERE[family], 9))  # sends nothing; only selects the source address
            found.append(probe.getsockname()[0])
        with contextlib.suppress(OSError):
            found += [info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, family)]
    return list(dict.fromkeys(address for address in found if _is_of_a_network(address)))


def _is_of_a_network(address: str) -> bool:
    """Return whether a browser on another machine can open the address; link-local IPv6 with a zone does not work."""
    if "%" in address:
        return False
    ip = ipaddress.ip_address(address)
    return not (ip.is_loopback or ip.is_unspecified or ip.is_link_local)


def bracketed(host: str) -> str:
    """Format a host for a URL: IPv6 in brackets, an IPv4-mapped IPv6 address as IPv4."""
    mapped = host.lower().removeprefix("::ffff:")
    if mapped != host.lower() and "." in mapped:
        return mapped
    return f"[{host}]" if ":" in host else host.lower()
