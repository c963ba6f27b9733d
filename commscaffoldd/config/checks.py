"""Checks of values against each other and against this machine; types and bounds have been checked before."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

from commscaffoldd.config.describe import describe_value, did_you_mean
from commscaffoldd.config.errors import shown
from commscaffoldd.config.findings import Findings
from commscaffoldd.config.schema import Config
from commscaffoldd.core.address import MAX_UNIX_PATH, Address, systemd_name
from commscaffoldd.core.layout import PRESETS, Layout


def check(config: Config, findings: Findings) -> None:
    """Note what cannot work. What concerns a key that is already known to be wrong is left out."""
    _check_layouts(config, findings)
    _check_listeners(config, findings)
    _check_connections(config, findings)
    _check_quarantine(config, findings)
    _check_run_dir(config, findings)
    _check_log(config, findings)
    _check_name(config.daemon.user, "user", _exists(pwd.getpwnam), findings)
    _check_name(config.daemon.group, "group", _exists(grp.getgrnam), findings)


def _check_layouts(config: Config, findings: Findings) -> None:
    for name, spec in config.layout.items():
        if name in PRESETS:
            findings.add(("layout", name), f"a custom layout cannot take the name of a preset ({', '.join(PRESETS)})")
        try:
            Layout.from_spec(name, spec)
        except ValueError as error:
            findings.add(("layout", name), str(error))


def _check_listeners(config: Config, findings: Findings) -> None:
    if not config.listen and not findings.concern(("listen",)):
        findings.add(("listen",), "found no address to listen at; allowed: at least one [[listen]]")
    seen: dict[Address | str, int] = {}
    for index, listen in enumerate(config.listen):
        key = ("listen", index)
        known = [*PRESETS, *config.layout]
        if listen.layout not in known and not findings.concern(("layout", listen.layout)):
            hint = did_you_mean(listen.layout, known)
            allowed = f"{', '.join(PRESETS)}, or the NAME of a [layout.NAME]"
            findings.add((*key, "layout"), f"found {describe_value(listen.layout)}; allowed: {allowed}{hint}")
        if findings.concern((*key, "address")):
            continue
        try:
            address = _read_address(listen.address)
        except ValueError as error:
            findings.add((*key, "address"), str(error))
            continue
        if address in seen:
            findings.add((*key, "address"), f"{address} is already the address of listen[{seen[address]}]")
        elif isinstance(address, str) or address.path or address.port:  # port 0 is another one each time
            seen[address] = index
        if listen.accept == "reuseport" and (one_for_all := _shared_by_all(address)):
            findings.add(
                (*key, "accept"), f'found "reuseport" with {one_for_all}; allowed there: "exclusive" or "mutex"'
            )


def _read_address(text: str) -> Address | str:
    """The address; of a socket that systemd passes, the text as it is. Raises ValueError with what is allowed."""
    if systemd_name(text) is not None:
        return text
    try:
        address = Address.parse(text)
    except ValueError as error:
        raise ValueError(f"{error}; or systemd:NAME, for a socket that systemd passes") from None
    try:
        # The resolver would raise this UnicodeError, and not OSError, when the address is bound.
        address.host.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"{describe_value(text)} is not a host name: {error}") from None
    return address


def _shared_by_all(address: Address | str) -> str:
    """Why there cannot be a socket for each worker; empty if there can."""
    if isinstance(address, str):
        return "a socket from systemd, which all workers share"
    return "a unix socket, which has none" if address.path else ""


def _check_connections(config: Config, findings: Findings) -> None:
    most, initial = config.connections.max, config.connections.initial
    if initial > most and not findings.concern(("connections", "max")):
        findings.add(
            ("connections", "initial"), f"found {initial}; allowed: at most connections.max, which is {most}"
        )


def _check_quarantine(config: Config, findings: Findings) -> None:
    first, longest = config.quarantine.first, config.quarantine.longest
    if first > longest and not findings.concern(("quarantine", "longest")):
        findings.add(
            ("quarantine", "first"), f"found {first:g}; allowed: at most quarantine.longest, which is {longest:g}"
        )


def _check_run_dir(config: Config, findings: Findings) -> None:
    key = ("daemon", "run_dir")
    if findings.concern(key):
        return
    if os.path.lexists(config.daemon.run_dir) and not os.path.isdir(config.daemon.run_dir):  # noqa: PTH112  # never raises
        findings.add(key, f"{shown(Path(config.daemon.run_dir))} is not a directory")
    size = len(os.fsencode(config.control_socket))
    if size > MAX_UNIX_PATH:
        findings.add(
            key,
            f"{shown(config.control_socket)} is {size} bytes long; allowed: a run_dir with which the path of "
            f"the control socket has at most {MAX_UNIX_PATH} bytes",
        )


def _check_log(config: Config, findings: Findings) -> None:
    key = ("log", "file")
    if not config.log.file or findings.concern(key):
        return
    file = Path(config.log.file)
    # os.path, since Path's methods raise for a name that is too long.
    if not os.path.isdir(file.parent):  # noqa: PTH112
        findings.add(key, f"the folder {shown(file.parent)} does not exist; allowed: a file in a folder that does")
    elif os.path.isdir(file):  # noqa: PTH112
        findings.add(key, f"{shown(file)} is a directory; allowed: a file")


def _check_name(name: str, kind: str, exists: Callable[[str], bool], findings: Findings) -> None:
    if name and not findings.concern(("daemon", kind)) and not exists(name):
        findings.add(
            ("daemon", kind),
            f'found {describe_value(name)}, but no such {kind} is here; allowed: the name of a {kind}, or ""',
        )


def _exists(look_up: Callable[[str], object]) -> Callable[[str], bool]:
    def exists(name: str) -> bool:
        try:
            look_up(name)
        except (KeyError, ValueError, OSError):  # ValueError: not to be written in the system's encoding
            return False
        return True

    return exists
