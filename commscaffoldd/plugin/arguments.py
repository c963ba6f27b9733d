"""A handler's arguments: where each one comes from, and what is wrong if it comes from nowhere."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeAlias

from commscaffoldd.codecs.base import type_name
from commscaffoldd.core.connection import Connection
from commscaffoldd.plugin.annotations import NOTHING
from commscaffoldd.plugin.injection import Injected
from commscaffoldd.plugin.signature import Argument, HandlerSignature

Get: TypeAlias = Callable[[Any], Any]
"""Makes one argument of the request. Raises BadBody if that is the body, and does not fit."""


def missing(signature: HandlerSignature, injected: Injected, clash: Callable[[Any], str] = lambda _: "") -> list[str]:
    """What is wrong with a handler's parameters: those that nothing is there for.

    Args:
        signature: the handler's.
        injected: what is there.
        clash: why something of a type is not there, though it is provided; empty if it is not.
    """
    known = ", ".join(sorted({"Connection", *(type_name(kind) for kind in injected)}))
    return [
        f"parameter {argument.name}: "
        + (
            clash(argument.type)
            or f"{type_name(argument.type)} is given to no handler (there are: {known}; the message's body is given "
            "to a parameter named body)"
        )
        for argument in signature.arguments
        if argument.source == "injected" and argument.default is NOTHING and not _is_there(argument, injected)
    ]


def getters(signature: HandlerSignature, injected: Injected) -> list[Get]:
    """What makes the arguments after the request, in their order; `missing` has found nothing."""
    return [_getter(argument, signature, injected) for argument in signature.arguments]


def by_position(function: Callable[..., Any], signature: HandlerSignature) -> Callable[..., Any]:
    """The handler as a function that takes all its arguments by position."""
    names = [argument.name for argument in signature.arguments if argument.by_name]
    if not names:
        return function
    count = len(signature.arguments) - len(names)  # those by name are the last

    def call(request: Any, *given: Any) -> Any:  # noqa: ANN401  whatever the handler takes and gives
        return function(request, *given[:count], **dict(zip(names, given[count:], strict=True)))

    return call


def _getter(argument: Argument, signature: HandlerSignature, injected: Injected) -> Get:
    if argument.source == "body":
        assert signature.body is not None
        decode = signature.body.decode
        return lambda request: decode(request.body)
    if argument.type is Connection:
        return attrgetter("connection")
    if not _is_there(argument, injected):
        return lambda _: argument.default
    provided = injected[argument.type]
    return lambda _: provided.value


def _is_there(argument: Argument, injected: Injected) -> bool:
    try:
        return argument.type is Connection or argument.type in injected
    except Exception:  # noqa: BLE001  an annotation that cannot be hashed, or compared
        return False
