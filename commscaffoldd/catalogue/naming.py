"""Names for generated code: valid where they stand, and each used once."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable
from typing import Final

PYTHON_RESERVED: Final = frozenset(keyword.kwlist) | frozenset(keyword.softkwlist)
_TYPESCRIPT_WORDS: Final = """
abstract any arguments as async await boolean break case catch class const constructor continue debugger declare
default delete do else enum eval export extends false finally for from function get if implements import in instanceof
interface is keyof let module namespace never new null number object of package private protected public readonly
require return set static string super switch symbol this throw true try type typeof undefined unique unknown var void
while with yield
"""
TYPESCRIPT_RESERVED: Final = frozenset(_TYPESCRIPT_WORDS.split())
_OF_PLUGINS: Final = "commscaffoldd_plugins."  # the package of plugins that were found in a folder
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]|[0-9]+")


def words(text: str) -> list[str]:
    """The words of a name in whatever style; at least one. What is not an ASCII letter or digit separates them."""
    return _WORD.findall(text) or ["x"]


def snake(text: str) -> str:
    """`LoginRequest` as `login_request`; what begins with a digit gets a `_` in front."""
    return _begun("_".join(words(text)).lower())


def camel(text: str) -> str:
    """`login_request` as `loginRequest`."""
    first, *rest = words(text)
    return _begun(first.lower() + "".join(map(_capital, rest)))


def pascal(text: str) -> str:
    """`login_request` as `LoginRequest`."""
    return _begun("".join(map(_capital, words(text))))


def type_name(text: str) -> str:
    """The name of a catalogue's type, as `pascal`. Types of the same name have those of their modules in front."""
    return pascal(text.removeprefix(_OF_PLUGINS))


def upper(text: str) -> str:
    """`loginRequest` as `LOGIN_REQUEST`."""
    return _begun("_".join(words(text)).upper())


def unique(wanted: Iterable[tuple[str, str]], taken: Collection[str]) -> list[str]:
    """A name for each of these, none twice, and none that is taken.

    Args:
        wanted: the name that each would like, and what to add to it where several would like the same: all of them
            get it, so that what one is called does not depend on the others' order.
        taken: names that are in use or reserved.

    Returns:
        Names, in that order.
    """
    pairs = list(wanted)
    first = [name for name, _ in pairs]
    used = set(taken)
    names = []
    for name, addition in pairs:
        chosen = f"{name}_{addition}" if addition and (first.count(name) > 1 or name in taken) else name
        while chosen in used:
            chosen += "_"
        used.add(chosen)
        names.append(chosen)
    return names


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _begun(name: str) -> str:
    return f"_{name}" if name[0].isdigit() else name
