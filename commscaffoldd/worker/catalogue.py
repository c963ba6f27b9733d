"""The catalogue of what a worker serves: its handlers, and the addresses and limits of the configuration."""

from __future__ import annotations

import inspect
from typing import Any, Final

from commscaffoldd.catalogue.making import BodyFacts, HandlerFacts, make_catalogue
from commscaffoldd.catalogue.model import Catalogue, Limits
from commscaffoldd.codecs import Codec
from commscaffoldd.config.schema import Config
from commscaffoldd.core.route import Route
from commscaffoldd.plugin.annotations import NOTHING, UnresolvedError, resolve
from commscaffoldd.plugin.handlers import Handler
from commscaffoldd.plugin.host import PluginHost
from commscaffoldd.version import __version__
from commscaffoldd.worker.plugins import make_endpoint

TITLE: Final = "Protocol"


def catalogue_of(config: Config, host: PluginHost) -> Catalogue:
    """The catalogue of a checked configuration and its plugins' handlers."""
    return make_catalogue(
        title=TITLE,
        daemon_version=__version__,
        endpoints=[make_endpoint(config, listen) for listen in config.listen],
        limits=_limits(config),
        handlers=describe_handlers(host, config.business.handler_timeout),
    )


def describe_handlers(host: PluginHost, timeout: float) -> list[HandlerFacts]:
    """What the handlers' signatures and docstrings say, by message ID.

    `timeout` is that of handlers that have none of their own.
    """
    return [_describe(route, host.handlers[message_id], timeout) for message_id, route in sorted(host.routes.items())]


def _describe(route: Route, handler: Handler, timeout: float) -> HandlerFacts:
    signature = handler.signature
    returns = _return_annotation(handler)
    silent = returns is type(None) and not signature.is_stream
    return HandlerFacts(
        id=route.id,
        name=route.name,
        plugin=route.plugin,
        mode=route.mode,
        timeout=timeout if route.timeout is None else float(route.timeout),
        doc=inspect.getdoc(handler.marked.function) or "",
        body=_body(signature.body),
        reply=None if silent else _body(signature.reply),
        # Raw replies are not looked at when they are annotated, so the annotation is what there is to go by.
        may_be_silent=signature.may_be_silent and returns is not bytes,
        stream=signature.is_stream,
        open=route.open,
    )


def _body(codec: Codec | None) -> BodyFacts:
    return BodyFacts() if codec is None else BodyFacts(codec.name, codec.type)


def _return_annotation(handler: Handler) -> Any:  # noqa: ANN401  # an annotation
    """What a handler says that it returns; `NOTHING` if it says nothing."""
    function = handler.marked.function
    try:
        return resolve(function, inspect.signature(function).return_annotation)
    except (UnresolvedError, TypeError, ValueError):  # the last two: written in C, without a signature to look at
        return NOTHING


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
