"""What a plugin's function wants besides what it is called with: other parameters are injected by annotation."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Collection
from typing import Any, Final

from commscaffoldd.plugin.annotations import NOTHING, UnresolvedError, resolve, strip
from commscaffoldd.plugin.kinds import HiddenSignatureError, signature_of

_VARIABLE: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclasses.dataclass(frozen=True, slots=True)
class Want:
    """A parameter that is injected.

    Attributes:
        name: the parameter's.
        kind: its annotation, without `| None`.
        optional: it has a default, which it keeps if nothing of its kind is there.
    """

    name: str
    kind: Any
    optional: bool


class WantError(Exception):
    """A parameter's annotation does not say what it is to be given; the text says which, and why."""


def wants_of(function: Callable[..., Any], given: Collection[str], *, skip: int = 0) -> tuple[Want, ...]:
    """The parameters of a function that are to be injected.

    Args:
        function: bound, if it is a method.
        given: names of parameters that its caller gives by name.
        skip: so many parameters at the beginning are given by position.

    Raises:
        WantError: a parameter has no annotation, or one that cannot be evaluated, or can only be given by position.
    """
    try:
        signature = signature_of(function)
    except HiddenSignatureError as error:
        raise WantError(str(error)) from None
    if signature is None:
        return ()
    found = list(signature.parameters.values())[skip:]
    return tuple(_want(function, one) for one in found if one.name not in given and not _is_left_alone(one))


def _is_left_alone(parameter: inspect.Parameter) -> bool:
    return parameter.kind in _VARIABLE or (parameter.annotation is NOTHING and parameter.default is not NOTHING)


def _want(function: Callable[..., Any], parameter: inspect.Parameter) -> Want:
    optional = parameter.default is not NOTHING
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        raise WantError(f"parameter {parameter.name} can only be given by position: leave out the /")
    try:
        kind = resolve(function, parameter.annotation)
    except UnresolvedError as error:
        raise WantError(f"parameter {parameter.name}: {error}") from None
    if kind is NOTHING:
        raise WantError(f"parameter {parameter.name} has no annotation that says what it is given")
    return Want(parameter.name, strip(kind, type(None))[0], optional)
