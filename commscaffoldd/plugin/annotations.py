"""What a function's annotations mean: strings are evaluated where the function stands, one by one."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

NOTHING: Final = inspect.Parameter.empty
"""Where there is no annotation."""


class UnresolvedError(Exception):
    """An annotation that cannot be evaluated; the text says why."""


def resolve(function: Callable[..., Any], annotation: object) -> Any:  # noqa: ANN401  a type, in any form
    """An annotation of a function as a type; `NOTHING` stays what it is.

    Raises:
        UnresolvedError: it names something that is not there, or is no Python.
    """
    if annotation is NOTHING:
        return NOTHING
    # One at a time, so that the error can say which it is.
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, globalns=dict(_globals(function)), include_extras=True)["it"]
    except NameError as error:
        raise UnresolvedError(
            f"{annotation} cannot be resolved: {error} (what is imported only `if TYPE_CHECKING:` is not there when "
            "the daemon runs)"
        ) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  an annotation is an expression: anything can come of it
        text = annotation if isinstance(annotation, str) else "the annotation"  # its text may fail as it did
        raise UnresolvedError(f"{text} cannot be resolved: {type(error).__name__}: {error}") from None


def members_of(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """The members of a union; what is none is its own only member."""
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if is_union else (annotation,)


def strip(annotation: Any, kind: type) -> tuple[Any, bool]:  # noqa: ANN401
    """The annotation without `| kind`, and whether it had that, or is it."""
    members = members_of(annotation)
    if len(members) == 1:
        return annotation, annotation is kind
    others = tuple(member for member in members if member is not kind)
    return (typing.Union[others], True) if len(others) < len(members) else (annotation, False)  # noqa: UP007


def _globals(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The names that are there where the function stands."""
    inner: Any = inspect.unwrap(function)
    inner = getattr(inner, "__func__", inner)
    inner = getattr(inner, "func", inner)  # a partial
    inner = inspect.unwrap(inner)
    found = getattr(inner, "__globals__", None) or getattr(type(inner).__call__, "__globals__", None)
    if isinstance(found, dict):
        return found
    module = sys.modules.get(getattr(inner, "__module__", None) or type(inner).__module__)
    return vars(module) if module is not None else {}
