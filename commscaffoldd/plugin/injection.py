"""What handlers are given by type: the plugin's settings, the worker's state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias


class Provided:
    """A value that handlers get, by its type.

    Handlers are bound when the plugin is loaded; the value can come later, but before the first message.

    Attributes:
        value: the value; reading it before it is set raises AttributeError.
    """

    __slots__ = ("value",)

    value: Any

    @classmethod
    def of(cls, value: object) -> Provided:
        """One whose value is there already."""
        made = cls()
        made.value = value
        return made


Injected: TypeAlias = "Mapping[Any, Provided]"
"""By the annotation that asks for it."""


def values_of(injected: Mapping[str, Provided]) -> dict[str, Any]:
    """The values by parameters' names, once they are there. Raises AttributeError if one is not yet."""
    return {name: one.value for name, one in injected.items()}
