"""Leaving a mark on what a decorator stands above, for `scan` to find."""

from __future__ import annotations

from typing import Any


def target_of(function: object) -> Any | None:  # noqa: ANN401  # whatever takes attributes
    """What a mark goes onto: the function below `staticmethod` and `classmethod`; `None` if there is none."""
    target = function.__func__ if isinstance(function, staticmethod | classmethod) else function
    return None if isinstance(function, type) or not callable(target) else target


def leave_mark(decorator: str, function: object, attribute: str, mark: object) -> None:
    """Leave it on the function's target. Raises TypeError, in the decorator's name, if that takes no attributes."""
    try:
        setattr(target_of(function), attribute, mark)
    except (AttributeError, TypeError):
        raise TypeError(
            f"{decorator} cannot mark a {type(function).__name__}: wrap it in a function of your own"
        ) from None
