"""Middleware: what a plugin runs around handlers. One generator function: before its `yield`, and after it.

    gate ► middleware, its first half ► handler ► middleware, its second half ► reply

A generator, because one function with a `try` or a `with` around its `yield` is what people write anyway, and
because the same one serves plain and async handlers. It costs one generator for each message: nothing else is made.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias, TypeVar, overload

from commscaffoldd.core.refusal import Refusal
from commscaffoldd.plugin.injection import Provided, values_of
from commscaffoldd.plugin.layers import Function, Layer
from commscaffoldd.plugin.marks import leave_mark, target_of

MIDDLEWARE_MARK: Final = "commscaffoldd_middleware"
"""The attribute in which `middleware` leaves a `MiddlewareMark`."""

Halves: TypeAlias = Generator[None, Any, Any]
MiddlewareFunction = TypeVar("MiddlewareFunction", bound=Callable[..., Halves])


@dataclasses.dataclass(frozen=True, slots=True)
class MiddlewareMark:
    """`@middleware` on a function: whose handlers it goes around, and where among others."""

    everywhere: bool
    order: int


@dataclasses.dataclass(frozen=True, slots=True)
class Middleware:
    """One middleware of a plugin, ready to be put around handlers.

    Attributes:
        plugin: whose it is.
        name: the function's qualified name.
        function: takes the request and what is in `injected`, gives the generator.
        mark: see there.
        injected: values by the parameters' names, there once `worker_started` has returned.
    """

    plugin: str
    name: str
    function: Callable[..., Halves]
    mark: MiddlewareMark
    injected: Mapping[str, Provided] = dataclasses.field(default_factory=dict)

    def begin(self) -> Callable[[Any], Halves]:
        """A function of the request alone."""
        if not self.injected:
            return self.function
        bound: Callable[[Any], Halves] | None = None

        def begin(request: Any) -> Halves:  # noqa: ANN401  # see `Function`
            nonlocal bound
            if bound is None:  # the values come after this has been made, and before the first message
                bound = functools.partial(self.function, **values_of(self.injected))
            return bound(request)

        return begin


class MiddlewareError(RuntimeError):
    """A middleware has not yielded exactly once; the text names it. To the client it is a handler that failed."""


@overload
def middleware(function: MiddlewareFunction, /) -> MiddlewareFunction: ...


@overload
def middleware(*, everywhere: bool = False, order: int = 0) -> Callable[[MiddlewareFunction], MiddlewareFunction]: ...


def middleware(
    function: MiddlewareFunction | None = None, /, *, everywhere: bool = False, order: int = 0
) -> MiddlewareFunction | Callable[[MiddlewareFunction], MiddlewareFunction]:
    """Put a function around handlers: `@middleware`, or `@middleware(everywhere=True)`.

    The function is a generator function that takes the request and yields exactly once. What it does before that
    comes before the body is decoded and the handler called; raising `Refuse` there answers in the handler's place.
    The handler's result comes out of the `yield`, not encoded yet, and so do its exceptions. What the function
    returns is the reply.

    Args:
        function: when it is used without parentheses.
        everywhere: around the handlers of all plugins, and outside of plugins' own middleware; else around those of
            the plugin that it stands in.
        order: lower is further outside; of two that are equal the one that is found first.

    Raises:
        TypeError: what is decorated is no function, or the order no integer.
    """
    if not isinstance(order, int) or isinstance(order, bool):
        raise TypeError(f"middleware(order={order!r}): an order is an int; lower is further outside")
    if not isinstance(everywhere, bool):
        raise TypeError(f"middleware(everywhere={everywhere!r}): everywhere is True or False")
    mark = MiddlewareMark(everywhere, order)

    def decorate(function: MiddlewareFunction) -> MiddlewareFunction:
        marked = target_of(function)
        if marked is None:
            kind = function.__name__ if isinstance(function, type) else type(function).__name__
            raise TypeError(f"@middleware belongs on a generator function or method, not on {kind}")
        leave_mark("@middleware", function, MIDDLEWARE_MARK, mark)
        return function

    return decorate if function is None else decorate(function)


def applying_to(plugin: str, found: Iterable[Middleware]) -> tuple[Middleware, ...]:
    """Those that go around a plugin's handlers, the outermost one first.

    Args:
        plugin: its name.
        found: those of all plugins, in the plugins' order.
    """
    mine = [one for one in found if one.mark.everywhere or one.plugin == plugin]
    return tuple(sorted(mine, key=lambda one: (not one.mark.everywhere, one.mark.order)))


def around(function: Function, middlewares: Sequence[Middleware]) -> Function:
    """A plain handler with middleware around it, the first one outermost. Without any it is the very function."""
    for one in reversed(middlewares):
        function = as_layer(one)(function)
    return function


def around_async(function: Function, middlewares: Sequence[Middleware]) -> Function:
    """The same around an async handler: what `function` returns is awaited, unless it is a `Refusal`.

    Middleware runs on the event loop then, both of its halves: it must not block.
    """
    for one in reversed(middlewares):
        function = as_async_layer(one)(function)
    return function


def as_layer(one: Middleware) -> Layer:
    """One middleware, for plain handlers."""
    return functools.partial(_layer, one)


def as_async_layer(one: Middleware) -> Layer:
    """One middleware, for async handlers."""
    return functools.partial(_async_layer, one)


def _layer(one: Middleware, function: Function) -> Function:
    begin = one.begin()

    @functools.wraps(function)  # who looks for the handler's own code finds it
    def layer(request: Any) -> Any:  # noqa: ANN401  # whatever the handler takes and gives
        halves = begin(request)
        try:
            halves.send(None)
        except StopIteration:
            _never_yielded(one)
        try:
            reply = function(request)
        except BaseException as error:  # noqa: BLE001  # it is the middleware that decides
            return _throw(one, halves, error)
        try:
            halves.send(reply)
        except StopIteration as end:
            return end.value
        _yielded_again(one, halves)

    return layer


def _async_layer(one: Middleware, function: Function) -> Function:
    begin = one.begin()

    @functools.wraps(function)
    async def layer(request: Any) -> Any:  # noqa: ANN401  # see `_layer`
        halves = begin(request)
        try:
            halves.send(None)
        except StopIteration:
            _never_yielded(one)
        try:
            awaited: Awaitable[Any] | Refusal = function(request)
            reply = awaited if isinstance(awaited, Refusal) else await awaited
        except BaseException as error:  # noqa: BLE001  # also that it is cancelled: see `_throw`
            return _throw(one, halves, error)
        try:
            halves.send(reply)
        except StopIteration as end:
            return end.value
        _yielded_again(one, halves)

    return layer


def _throw(one: Middleware, halves: Halves, error: BaseException) -> object:
    """Have the handler's exception come out of the `yield`; what the middleware makes of it is raised or returned."""
    try:
        halves.throw(error)
    except StopIteration as end:
        reply: object = end.value
        return reply
    return _yielded_again(one, halves)


def _never_yielded(one: Middleware) -> NoReturn:
    raise MiddlewareError(
        f"middleware {one.name} of plugin {one.plugin} must yield exactly once, and it returned without: to answer "
        "in the handler's place, raise Refuse"
    ) from None


def _yielded_again(one: Middleware, halves: Halves) -> NoReturn:
    halves.close()
    raise MiddlewareError(
        f"middleware {one.name} of plugin {one.plugin} must yield exactly once, and it did so a second time"
    )
