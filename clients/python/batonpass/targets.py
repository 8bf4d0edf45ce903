"""Addresses of services, as gRPC takes them: `HOST:PORT`, or `ipv4:HOST:PORT,HOST:PORT` for replicas."""

import ipaddress

_SCHEMES = ("ipv4:", "ipv6:", "dns:")


def is_loopback(target: str) -> bool:
    """True when every address of a target is this machine: `localhost`, 127.0.0.0/8, ::1, Unix sockets."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    return all(_is_loopback_host(_host(address)) for address in addresses(target))


def addresses(target: str) -> list[str]:
    """The single addresses of a target, without its scheme."""
    for scheme in _SCHEMES:
        if target.startswith(scheme):
            return target.removeprefix(scheme).removeprefix("///").split(",")
    return [target]


def _host(address: str) -> str:
    """`h` of `h`, `h:1`, `[::1]:1` and `::1`."""
    if address.startswith("["):
        return address[1:].split("]", 1)[0]
    return address.rsplit(":", 1)[0] if address.count(":") == 1 else address


def _is_loopback_host(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
