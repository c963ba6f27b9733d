"""From a handler to a function of the request alone, as a route has it: layers are put around it once, at load.

    gate ( encode ( middleware ( decode, inject, call )))

A handler that takes the request alone and returns bytes is its own bound function: it costs nothing. What is bound is
a wrapper in the sense of `functools.wraps`, so that who looks for the handler's own code finds it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

from commscaffoldd.codecs import BadBody
from commscaffoldd.codecs.base import type_name
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.endpoint import BAD_BODY
from commscaffoldd.core.refusal import Refusal, Refuse
from commscaffoldd.plugin.annotations import NOTHING
from commscaffoldd.plugin.injection import Injected
from commscaffoldd.plugin.replies import Finish, finishing, unsaid
from commscaffoldd.plugin.signature import Argument, HandlerSignature
from commscaffoldd.plugin.streams import async_stream, stream

Function: TypeAlias = Callable[[Any], Any]
"""Takes a request; gives what a handler returns, or an awaitable of that if the handler is `async def`."""

Layer: TypeAlias = Callable[[Function], Function]
"""Makes of a function one that does more."""

_Get: TypeAlias = Callable[[Any], Any]


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


def bind(
    function: Callable[..., Any],
    signature: HandlerSignature,
    injected: Injected,
    middleware: Sequence[Layer] = (),
    gate: Layer | None = None,
) -> Function:
    """The function that a route has.

    Args:
        function: the handler.
        signature: its own.
        injected: what parameters can be given; `missing` has found nothing.
        middleware: layers around the call, the outermost first. What they get gives values before encoding, and
            raises Refuse for a body that does not fit.
        gate: a layer around everything.
    """
    if signature.is_raw:
        bound: Function = function
        for layer in reversed(middleware):
            bound = layer(bound)
    else:
        bound = _bound(function, signature, injected, middleware)
    if gate is not None:
        bound = gate(bound)
    return bound if bound is function else functools.update_wrapper(bound, function)


def _bound(
    function: Callable[..., Any], signature: HandlerSignature, injected: Injected, middleware: Sequence[Layer]
) -> Function:
    finish = finishing(getattr(function, "__qualname__", "the handler"), signature)
    call = function
    if signature.is_stream:
        call = (async_stream if signature.is_async else stream)(function, finish)
    encode = None if signature.is_stream else finish
    if middleware:
        layered = _refusing(call, _arguments(signature, injected))
        for layer in reversed(middleware):
            layered = layer(layered)
        return _encoded(layered, encode, is_async=signature.is_async)
    if encode is not None and signature.is_async:
        call = _awaiting(call, encode)
        encode = None
    if [(one.source, one.by_name) for one in signature.arguments] == [("body", False)]:
        assert signature.body is not None
        return _with_body(call, signature.body.decode, encode)
    return _with_arguments(call, _arguments(signature, injected), encode)


# -- without middleware: the few shapes that handlers have, each as one function ----------------------------------


def _with_body(call: Callable[..., Any], decode: Callable[[bytes], Any], encode: Finish | None) -> Function:
    """The commonest shape, spelled out: it is paid for each message."""
    if encode is None:

        def bound(request: Any) -> Any:  # noqa: ANN401  see Function
            try:
                body = decode(request.body)
            except BadBody as error:
                return Refusal(BAD_BODY, str(error))
            return call(request, body)
    else:

        def bound(request: Any) -> Any:  # noqa: ANN401
            try:
                body = decode(request.body)
            except BadBody as error:
                return Refusal(BAD_BODY, str(error))
            result = call(request, body)
            return unsaid(request, encode) if result is None else encode(result)

    return bound


def _with_arguments(call: Callable[..., Any], arguments: _Arguments, encode: Finish | None) -> Function:
    def bound(request: Any) -> Any:  # noqa: ANN401
        try:
            given, named = arguments(request)
        except BadBody as error:
            return Refusal(BAD_BODY, str(error))
        result = call(request, *given, **named)
        if encode is None:
            return result
        return unsaid(request, encode) if result is None else encode(result)

    return bound


def _awaiting(call: Callable[..., Any], encode: Finish) -> Callable[..., Any]:
    async def bound(*given: Any, **named: Any) -> Any:  # noqa: ANN401
        return encode(await call(*given, **named))

    return bound


# -- with middleware ----------------------------------------------------------------------------------------------


def _refusing(call: Callable[..., Any], arguments: _Arguments) -> Function:
    def bound(request: Any) -> Any:  # noqa: ANN401
        try:
            given, named = arguments(request)
        except BadBody as error:
            raise Refuse(BAD_BODY, str(error)) from None
        return call(request, *given, **named)

    return bound


def _encoded(layered: Function, encode: Finish | None, *, is_async: bool) -> Function:
    if encode is None:
        return layered
    if is_async:
        return _awaiting(layered, encode)

    def bound(request: Any) -> Any:  # noqa: ANN401
        result = layered(request)
        return unsaid(request, encode) if result is None else encode(result)

    return bound


# -- arguments ----------------------------------------------------------------------------------------------------

_Arguments: TypeAlias = "Callable[[Any], tuple[list[Any], dict[str, Any]]]"


def _arguments(signature: HandlerSignature, injected: Injected) -> _Arguments:
    getters = [(one, _getter(one, signature, injected)) for one in signature.arguments]
    positional = [get for one, get in getters if not one.by_name]
    named = [(one.name, get) for one, get in getters if one.by_name]

    def given(request: Any) -> tuple[list[Any], dict[str, Any]]:  # noqa: ANN401
        return [get(request) for get in positional], {name: get(request) for name, get in named}

    return given


def _getter(argument: Argument, signature: HandlerSignature, injected: Injected) -> _Get:
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
    except TypeError:  # an annotation that cannot be hashed
        return False
