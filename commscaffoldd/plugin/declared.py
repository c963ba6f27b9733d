"""The settings that a plugin declares: a Struct, which is the annotation of a parameter `settings`.

@hookimpl
def create_plugin(settings: Settings) -> Greet: ...
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import structs

from commscaffoldd.config.errors import dotted
from commscaffoldd.plugin.annotations import NOTHING, UnresolvedError, resolve, strip
from commscaffoldd.plugin.errors import PluginError
from commscaffoldd.plugin.injection import Provided
from commscaffoldd.plugin.kinds import HiddenSignatureError, signature_of
from commscaffoldd.plugin.scan import Marked
from commscaffoldd.plugin.settings_table import convert

SETTINGS: Final = "settings"
"""The name of the parameter that is the plugin's settings."""


class DeclarationError(Exception):
    """Settings that are declared in a way that cannot work; the text says why."""


def declared_settings(function: Callable[..., Any]) -> type[msgspec.Struct] | None:
    """The Struct that a function wants the settings as; `None` if it takes them as they are, or not at all.

    Raises:
        DeclarationError: its parameter `settings` is annotated with something else.
    """
    try:
        signature = signature_of(function)
    except HiddenSignatureError:  # it is told where the function is looked at for what it is
        return None
    parameter = None if signature is None else signature.parameters.get(SETTINGS)
    if parameter is None or parameter.annotation is NOTHING:
        return None
    try:
        kind, _ = strip(resolve(function, parameter.annotation), type(None))
    except UnresolvedError as error:
        raise DeclarationError(f"parameter {SETTINGS}: {error}") from None
    bare = typing.get_origin(kind) or kind
    if not isinstance(bare, type) or issubclass(bare, Mapping) or bare is object:
        return None
    if not issubclass(bare, msgspec.Struct):
        raise DeclarationError(
            f"parameter {SETTINGS}: {bare.__name__} is no msgspec.Struct: declare the settings as one, or take the "
            "table as it is: settings: Mapping[str, Any]"
        )
    try:
        structs.fields(bare)
        msgspec.inspect.type_info(bare)
    except Exception as error:  # noqa: BLE001  its annotations are evaluated only now
        raise DeclarationError(f"parameter {SETTINGS}: {bare.__name__}: {type(error).__name__}: {error}") from None
    return bare


class PluginSettings:
    """One plugin's settings: the table, and the Struct that it has declared, if it has.

    Attributes:
        table: as the configuration has it.
        injected: what handlers are given of it, by type.
    """

    def __init__(self, plugin: str, table: dict[str, Any]) -> None:
        self.table = table
        self.injected: dict[Any, Provided] = {}
        self._plugin = plugin
        self._declared: tuple[type[msgspec.Struct], Marked] | None = None

    def declare(self, functions: Iterable[Marked]) -> list[PluginError]:
        """Look at what hooks and handlers want; the first to declare a Struct has it made of the table.

        Returns:
            What is wrong with the declarations, and with the table.
        """
        errors: list[PluginError] = []
        for marked in functions:
            try:
                kind = declared_settings(marked.function)
            except DeclarationError as error:
                errors.append(self._misdeclared(marked, str(error)))
                continue
            if kind is None:
                continue
            if self._declared is None:
                self._declared = kind, marked
                errors += self._make(kind)
            elif kind is not (first := self._declared)[0]:
                errors.append(
                    self._misdeclared(
                        marked,
                        f"parameter {SETTINGS}: {kind.__name__}, but in {first[1].qualname} ({first[1].place}) it is "
                        f"{first[0].__name__}: a plugin has one type of settings",
                    )
                )
        return errors

    def given_to(self, function: Callable[..., Any]) -> object:
        """What a hook's parameter `settings` is given."""
        if self._declared is None:
            return self.table
        try:
            kind = declared_settings(function)
        except DeclarationError:  # it has been told
            return self.table
        # Without a value there are errors, and nobody is called.
        return self.table if kind is None else getattr(self.injected.get(kind), "value", None)

    def _make(self, kind: type[msgspec.Struct]) -> list[PluginError]:
        provided = self.injected[kind] = Provided()
        value, problems = convert(kind, self.table, ("plugin", self._plugin))
        if not problems:
            provided.value = value
        return [
            PluginError(self._plugin, f"{dotted(problem.key)}: {problem.text}", key=problem.key)
            for problem in problems
        ]

    def _misdeclared(self, marked: Marked, reason: str) -> PluginError:
        return PluginError(self._plugin, f"{marked.qualname}: {reason}", marked.file, marked.line)
