"""The catalogue of what a worker serves: its handlers, and the addresses and limits of the configuration."""

from __future__ import annotations

import inspect
import typing
from typing import Any, Final

from commscaffoldd.catalogue.making import BodyFacts, HandlerFacts, make_catalogue
from commscaffoldd.catalogue.model import Catalogue, Limits
from commscaffoldd.config.schema import Config
from commscaffoldd.core.route import Route, RouteTable
from commscaffoldd.version import __version__
from commscaffoldd.worker.plugins import make_endpoint

TITLE: Final = "Protocol"


def catalogue_of(config: Config, routes: RouteTable) -> Catalogue:
    """The catalogue of a checked configuration and its plugins' handlers."""
    return make_catalogue(
        title=TITLE,
        daemon_version=__version__,
        endpoints=[make_endpoint(config, listen) for listen in config.listen],
        limits=_limits(config),
        handlers=[handler_facts(route, config.business.handler_timeout) for route in routes.values()],
    )


def handler_facts(route: Route, timeout: float) -> HandlerFacts:
    """What a handler's signature and docstring say; `timeout` is that of handlers that have none of their own."""
    reply = _reply_annotation(route)
    return HandlerFacts(
        id=route.id,
        name=route.name,
        plugin=route.plugin,
        mode=route.mode,
        timeout=timeout if route.timeout is None else float(route.timeout),
        doc=inspect.getdoc(route.function) or "",
        reply=None if reply is None else BodyFacts(),
        may_be_silent=reply is not bytes,
        open=route.open,
    )


def _reply_annotation(route: Route) -> Any:  # noqa: ANN401  # an annotation
    """`None` where the handler says that it never replies."""
    try:
        annotation = typing.get_type_hints(route.function).get("return", Any)
    except Exception:  # noqa: BLE001  # it may name what is only imported for type checkers, or be anything at all
        return Any
    return None if annotation is type(None) else annotation


def _limits(config: Config) -> Limits:
    heartbeat, flood = config.heartbeat, config.flood
    return Limits(
        max_body=config.frame.max_body,
        frame_timeout=config.frame.timeout,
        heartbeat_interval=heartbeat.interval if heartbeat.enabled else None,
        silence=heartbeat.interval * heartbeat.misses if heartbeat.enabled else None,
        flood_rate=flood.rate if flood.enabled else None,
        flood_burst=flood.burst if flood.enabled else None,
    )
