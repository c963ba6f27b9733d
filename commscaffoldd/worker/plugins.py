"""Loads the plugins that a configuration names, and checks their message IDs against its listeners."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.lines import line_of, locate_keys
from commscaffoldd.config.load import read_text
from commscaffoldd.config.schema import Config, Listen
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.route import Route
from commscaffoldd.plugin.errors import PluginError, PluginErrors
from commscaffoldd.plugin.host import PluginHost, load_plugins


def load_host(config: Config) -> PluginHost:
    """All plugins, loaded. After the fork, before the process has threads.

    Raises:
        PluginErrors: what is wrong with them, all of it.
    """
    try:
        host = load_plugins([Path(folder) for folder in config.plugins.path], config.plugins.disabled, config.plugin)
    except PluginErrors as errors:
        raise PluginErrors(_placed(errors.errors, config.path)) from None
    check_ids(config, host)
    return host


def check_ids(config: Config, host: PluginHost) -> None:
    """Check that no handler takes a message ID that is the daemon's own at one of the configured addresses.

    Raises:
        PluginErrors: those that do.
    """
    endpoints = [make_endpoint(config, listen) for listen in config.listen]
    reserved = [error for route in host.routes.values() if (error := _reserved(route, endpoints)) is not None]
    if reserved:
        raise PluginErrors(reserved)


def _placed(errors: list[PluginError], path: Path) -> list[PluginError]:
    """The errors, those in settings with the configuration's file and line."""
    if not any(error.key for error in errors):
        return errors
    try:
        lines = locate_keys(read_text(path))
    except ConfigErrors:  # it has gone since it was read
        lines = {}
    return [
        dataclasses.replace(error, file=path, line=line_of(error.key, lines)) if error.key else error
        for error in errors
    ]


def make_endpoint(config: Config, listen: Listen) -> Endpoint:
    """The endpoint of a configured address."""
    return Endpoint.make(
        listen.address,
        config.layout_of(listen),
        default_id=listen.default_id,
        control_ids=config.frame.control_ids,
    )


def _reserved(route: Route, endpoints: list[Endpoint]) -> PluginError | None:
    for endpoint in endpoints:
        if route.id in (endpoint.error_id, endpoint.go_away_id):
            use = "error replies" if route.id == endpoint.error_id else "go away"
            return PluginError(
                route.plugin,
                f"message ID {route.id} of {route.name} is the daemon's own, for {use}, "
                f"on {endpoint.address} (layout {endpoint.layout.name})",
            )
    return None
