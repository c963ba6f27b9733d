"""What a handler wants and gives: its parameters, the codecs of body and replies, whether it waits or streams."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

from commscaffoldd.codecs import Codec, Format, NoCodecError, codec_for
from commscaffoldd.codecs.base import type_name
from commscaffoldd.core.deferred import Deferred
from commscaffoldd.plugin.annotations import NOTHING, UnresolvedError, members_of, resolve, strip
from commscaffoldd.plugin.hooks import parameters
from commscaffoldd.plugin.kinds import (
    HiddenSignatureError,
    is_async_generator,
    is_coroutine_function,
    is_generator,
    signature_of,
)

BODY: Final = "body"
"""The name of the parameter that is the message's body."""

Source: TypeAlias = Literal["body", "injected"]

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_TAKES_REQUEST: Final = (*_POSITIONAL, inspect.Parameter.VAR_POSITIONAL)
_VARIABLE: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_AS_THEY_ARE: Final = (
    *(NOTHING, Deferred, Any, object, None, type(None), typing.Never, typing.NoReturn),
    *(bytes, bytearray, memoryview),
)
"""What a handler may be annotated to return if it returns bytes or nothing."""

_STREAMS: Final[dict[bool, tuple[Any, ...]]] = {
    False: (collections.abc.Iterator, collections.abc.Iterable, collections.abc.Generator),
    True: (collections.abc.AsyncIterator, collections.abc.AsyncIterable, collections.abc.AsyncGenerator),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Argument:
    """A parameter after the request.

    Attributes:
        name: the parameter's.
        type: its annotation; of what is injected without `| None`.
        source: the message's body, or what is injected by type.
        by_name: whether it can only be given by name.
        default: what it is given if nothing of its type is there; `NOTHING`: then that is an error.
    """

    name: str
    type: Any
    source: Source
    by_name: bool
    default: Any


@dataclasses.dataclass(frozen=True, slots=True)
class HandlerSignature:
    """A handler, as its annotations describe it.

    Attributes:
        arguments: the parameters after the request, in order.
        body: the codec of the parameter `body`; `None` without such a parameter.
        reply: the codec of what it returns, or of each value that it yields; `None`: bytes, sent as they are.
        may_be_silent: whether it may return `None`, and nothing is sent.
        is_async: `async def`.
        is_stream: it yields replies.
    """

    arguments: tuple[Argument, ...]
    body: Codec | None
    reply: Codec | None
    may_be_silent: bool
    is_async: bool
    is_stream: bool

    @property
    def is_raw(self) -> bool:
        """Whether the function can be called for a message as it is."""
        return not self.arguments and self.reply is None and not self.is_stream


class SignatureErrors(Exception):  # noqa: N818  it is a list of errors, and says so
    """All that is wrong with a handler's signature, in `reasons`."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def read_signature(function: Callable[..., Any], format: Format | None = None) -> HandlerSignature:  # noqa: A002
    """What a handler's annotations say. The codecs are made here, once.

    Args:
        function: bound, if it is a method.
        format: how bodies and replies travel whose types have no encoding of their own.

    Raises:
        SignatureErrors: parameters or annotations are wrong, a type has no codec; all that is wrong.
    """
    return _Reader(function, format).read()


class _Reader:
    """Reads one signature, and collects what is wrong with it."""

    def __init__(self, function: Callable[..., Any], format: Format | None) -> None:  # noqa: A002
        self._function = function
        self._format = format
        self._wrong: list[str] = []
        self._body: Codec | None = None

    def read(self) -> HandlerSignature:
        function = self._function
        is_stream = is_generator(function) or is_async_generator(function)
        is_async = is_coroutine_function(function) or is_async_generator(function)
        try:
            signature = signature_of(function)
        except HiddenSignatureError as error:
            raise SignatureErrors([str(error)]) from None
        if signature is None:
            return HandlerSignature((), None, None, may_be_silent=True, is_async=False, is_stream=False)
        arguments = self._arguments(signature)
        reply, may_be_silent = self._reply(signature.return_annotation, is_async=is_async, is_stream=is_stream)
        if self._wrong:
            raise SignatureErrors(self._wrong)
        return HandlerSignature(arguments, self._body, reply, may_be_silent, is_async, is_stream)

    def _arguments(self, signature: inspect.Signature) -> tuple[Argument, ...]:
        all_of = list(signature.parameters.values())
        if not all_of or all_of[0].kind not in _TAKES_REQUEST or all_of[0].name == BODY:
            self._wrong.append(f"its parameters are {parameters(signature)}: the first one must take the request")
            return ()
        self._check_variable(all_of)
        # The first one's annotation is not looked at: who imports `Request` only for type checkers is right.
        found = [self._argument(parameter) for parameter in all_of[1:] if parameter.kind not in _VARIABLE]
        return tuple(argument for argument in found if argument is not None)

    def _check_variable(self, all_of: list[inspect.Parameter]) -> None:
        if [parameter.kind for parameter in all_of] == list(_VARIABLE):
            self._wrong.append(
                f"its parameters are (*{all_of[0].name}, **{all_of[1].name}), which hide what it wants: if they are "
                "those of a decorator, put @functools.wraps(function) above its inner function"
            )
        self._wrong += [
            f"parameter {'*' * (1 + _VARIABLE.index(parameter.kind))}{BODY} is given nothing: the message's body is "
            f"given to a parameter named {BODY}, without a star"
            for parameter in all_of
            if parameter.kind in _VARIABLE and parameter.name == BODY
        ]

    def _argument(self, parameter: inspect.Parameter) -> Argument | None:
        name, by_name = parameter.name, parameter.kind not in _POSITIONAL
        kind = self._resolve(f"parameter {name}", parameter.annotation)
        if name == BODY:
            self._body = self._codec(f"parameter {name}", bytes if kind is NOTHING else kind)
            return Argument(name, kind, "body", by_name, NOTHING)
        if kind is NOTHING:
            if parameter.default is NOTHING:
                self._wrong.append(
                    f"parameter {name} has no annotation: after the request come body, and parameters whose "
                    "annotation says what they are given"
                )
            return None
        return Argument(name, strip(kind, type(None))[0], "injected", by_name, parameter.default)

    def _reply(self, annotation: object, *, is_async: bool, is_stream: bool) -> tuple[Codec | None, bool]:
        kind = self._resolve("the reply's annotation", annotation)
        if is_stream and kind is not NOTHING:
            kind = self._part(kind, is_async=is_async)
        bare, may_be_silent = strip(kind, type(None))
        bare, _ = strip(bare, Deferred)  # what `Request.defer` gives, in the reply's place
        if all(member in _AS_THEY_ARE for member in members_of(bare)):
            return None, True
        return self._codec("the reply's annotation", bare), may_be_silent

    def _part(self, kind: Any, *, is_async: bool) -> Any:  # noqa: ANN401
        """What is yielded, from the annotation of a function that yields."""
        allowed = _STREAMS[is_async]
        if typing.get_origin(kind) in allowed:
            arguments = typing.get_args(kind)
            return arguments[0] if arguments else NOTHING  # `typing.Iterator` as it is
        if kind not in (*allowed, Any, object):
            self._wrong.append(
                f"the reply's annotation is {type_name(kind)}: a function that yields returns "
                f"{allowed[0].__name__}[X], where X is the type of one reply"
            )
        return NOTHING

    def _resolve(self, what: str, annotation: object) -> Any:  # noqa: ANN401
        try:
            return resolve(self._function, annotation)
        except UnresolvedError as error:
            self._wrong.append(f"{what}: {error}")
            return bytes

    def _codec(self, what: str, kind: Any) -> Codec | None:  # noqa: ANN401
        try:
            return codec_for(kind, self._format)
        except NoCodecError as error:
            self._wrong.append(f"{what}: {error}")
            return None
