"""What is spoken at an address: the header layout that `call` and `bench` use."""

from __future__ import annotations

from typing import Final

import click

from commscaffoldd.cli.failure import warn
from commscaffoldd.cli.listening import WILDCARDS
from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.find import find_config
from commscaffoldd.config.load import load
from commscaffoldd.config.schema import Config, Listen
from commscaffoldd.core.address import Address, systemd_name
from commscaffoldd.core.layout import PRESETS, Layout

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


def layout_for(address: Address, name: str | None, config_file: str | None) -> Layout:
    """The layout with this name, else the one of the configured listener at this address, else `standard`.

    Raises:
        ConfigErrors: the configuration is needed for the name, or was named, and is wrong.
        click.UsageError: nobody knows a layout with this name.
    """
    if name in PRESETS:
        return PRESETS[name]
    try:
        config = load(find_config(config_file))
    except ConfigErrors as error:
        if name is not None or config_file is not None:
            raise
        if error.errors[0].line is not None:  # there is a file, and it is wrong
            warn("the configuration is not valid (`commscaffoldd check` says why); using layout standard")
        return PRESETS["standard"]
    if name is not None:
        return _custom(name, config)
    listen = next((listen for listen in config.listen if _is_at(listen, address)), None)
    return PRESETS["standard"] if listen is None else config.layout_of(listen)


def daemon_at(address: Address, config_file: str | None) -> Config | None:
    """The configuration, if there is one and it listens at this address: its daemon can be asked about it.

    Raises ConfigErrors if the configuration was named, and is wrong.
    """
    try:
        config = load(find_config(config_file))
    except ConfigErrors:
        if config_file is not None:
            raise
        return None
    return config if any(_is_at(listen, address) for listen in config.listen) else None


def _custom(name: str, config: Config) -> Layout:
    if name not in config.layout:
        known = ", ".join([*PRESETS, *config.layout])
        raise click.UsageError(f"{config.path} has no layout {name!r}; known: {known}")
    return Layout.from_spec(name, config.layout[name])


def _is_at(listen: Listen, address: Address) -> bool:
    if systemd_name(listen.address) is not None:  # where that is, only the running daemon knows
        return False
    own = Address.parse(listen.address)
    if own == address:
        return True
    # One that listens everywhere is reached by the loopback addresses, among others.
    return own.port == address.port and own.host in WILDCARDS and address.host in _LOOPBACK
