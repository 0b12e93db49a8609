"""Under which addresses a server that listens at every address of the machine is reached from other machines."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

__all__ = ["ANY", "bracketed", "machine_names", "network_addresses"]

ANY = ("0.0.0.0", "::")  # what a socket that listens at every address says it is bound to
_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}  # addresses for documentation: nobody has them


def machine_names() -> list[str]:
    """The names that a network may know the machine by, in lower case: its own, and the one of multicast DNS."""
    name = socket.gethostname().lower()
    if not name or name.startswith("localhost"):
        return []
    return [name] if "." in name else [name, f"{name}.local"]


def network_addresses(host: str) -> list[str]:
    """The machine's addresses in its networks, the one that it sends from first; of IPv4, and with "::" of IPv6, too.

    Args:
        host: one of `ANY`.
    """
    found = []
    for family in (socket.AF_INET, socket.AF_INET6) if host == "::" else (socket.AF_INET,):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_ELSEWHERE[family], 9))  # which sends nothing, and chooses the address to send from
            found.append(probe.getsockname()[0])
        with contextlib.suppress(OSError):
            found += [info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, family)]
    return list(dict.fromkeys(address for address in found if _is_of_a_network(address)))


def _is_of_a_network(address: str) -> bool:
    """Whether other machines can type it into a browser, which a link-local address of IPv6 with its zone cannot be."""
    if "%" in address:
        return False
    ip = ipaddress.ip_address(address)
    return not (ip.is_loopback or ip.is_unspecified or ip.is_link_local)


def bracketed(host: str) -> str:
    """As it stands in a URL: an IPv6 address in brackets, and the address in one that maps IPv4."""
    mapped = host.lower().removeprefix("::ffff:")
    if mapped != host.lower() and "." in mapped:
        return mapped
    return f"[{host}]" if ":" in host else host.lower()
