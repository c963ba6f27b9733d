"""From what a handler returns to the body that is sent, or an error that says what was expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from commscaffoldd.codecs.base import WrongTypeError
from commscaffoldd.core.deferred import Deferred
from commscaffoldd.plugin.signature import HandlerSignature

Finish: TypeAlias = Callable[[Any], Any]
"""Encodes what a handler has returned; `None` stays `None` where a handler may be silent. What `Request.defer` gave
stays, and encodes what it will be told."""


class WrongReplyError(TypeError):
    """A handler has returned what its annotation does not promise, or what cannot be encoded."""


def unsaid(request: Any, encode: Finish) -> Any:  # noqa: ANN401  see `binding.Function`
    """What becomes of a plain handler that has returned `None`: it may be silent, or has deferred its reply."""
    return encode(None if request.deferred is None else request.deferred)


def finishing(name: str, signature: HandlerSignature) -> Finish | None:
    """What encodes a handler's replies; `None` if they are bytes already."""
    if signature.reply is None:
        return None
    encode, may_be_silent = signature.reply.encode, signature.may_be_silent
    done = "yielded" if signature.is_stream else "returned"

    def finish(result: object) -> object:
        if result is None and may_be_silent:
            return None
        if type(result) is Deferred:
            result.encode = finish
            return result
        try:
            return encode(result)
        except WrongTypeError as error:  # where we have found it out is of no interest
            raise WrongReplyError(f"{name} {done} what cannot be sent: {error}") from None
        except Exception as error:  # whatever an encoder, or a type's own code, has against it
            raise WrongReplyError(f"{name} {done} what cannot be sent: {error}") from error

    return finish
