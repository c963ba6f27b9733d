"""From a handler to a function of the request alone, as a route has it: layers are put around it once, at load.

    gate ( encode ( middleware ( decode, inject, call )))

A handler that takes the request alone and returns bytes is its own bound function: it costs nothing. What is bound is
a wrapper in the sense of `functools.wraps`, so that who looks for the handler's own code finds it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from commscaffoldd.codecs import BadBody
from commscaffoldd.core.endpoint import BAD_BODY
from commscaffoldd.core.refusal import Refusal, Refuse
from commscaffoldd.plugin.arguments import Get, by_position, getters
from commscaffoldd.plugin.injection import Injected
from commscaffoldd.plugin.layers import Function, Layer
from commscaffoldd.plugin.replies import Finish, finishing, unsaid
from commscaffoldd.plugin.signature import HandlerSignature
from commscaffoldd.plugin.streams import async_stream, stream


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
        layered = _refusing(by_position(call, signature), getters(signature, injected))
        for layer in reversed(middleware):
            layered = layer(layered)
        return _encoded(layered, encode, is_async=signature.is_async)
    if encode is not None and signature.is_async:
        call = _awaiting(call, encode)
        encode = None
    if [(one.source, one.by_name) for one in signature.arguments] == [("body", False)]:
        assert signature.body is not None
        return _with_body(call, signature.body.decode, encode)
    return _with_arguments(by_position(call, signature), getters(signature, injected), encode)


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


def _with_arguments(call: Callable[..., Any], wanted: Sequence[Get], encode: Finish | None) -> Function:
    def bound(request: Any) -> Any:  # noqa: ANN401
        try:
            given = [get(request) for get in wanted]
        except BadBody as error:
            return Refusal(BAD_BODY, str(error))
        result = call(request, *given)
        if encode is None:
            return result
        return unsaid(request, encode) if result is None else encode(result)

    return bound


def _awaiting(call: Callable[..., Any], encode: Finish) -> Callable[..., Any]:
    async def bound(*given: Any, **named: Any) -> Any:  # noqa: ANN401  `by_position` comes after this
        return encode(await call(*given, **named))

    return bound


# -- with middleware ----------------------------------------------------------------------------------------------


def _refusing(call: Callable[..., Any], wanted: Sequence[Get]) -> Function:
    def bound(request: Any) -> Any:  # noqa: ANN401
        try:
            given = [get(request) for get in wanted]
        except BadBody as error:
            raise Refuse(BAD_BODY, str(error)) from None
        return call(request, *given)

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
