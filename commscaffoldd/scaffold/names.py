"""Names for new plugins: those that the daemon, Python and pytest all take."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
LONGEST: Final = 50
LONGEST_USER: Final = 31  # useradd(8)
RESERVED: Final = ("commscaffoldd", "conftest", "plugins", "tests")


class NameRefusedError(ValueError):
    """The name cannot be a plugin's; the text says why, and what is allowed."""


def check_name(name: str, folder: Path) -> None:
    """Check that a new plugin in this folder may have this name.

    It becomes a package that tests import by its name: one that hides another module would break what imports that.

    Raises:
        NameRefusedError: it may not.
    """
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        hint = _suggestion(name)
        raise NameRefusedError(
            f"{name!r} cannot be a plugin's name: it is a lower-case letter, then lower-case letters, digits and "
            f"_, at most {LONGEST}" + (f"; what about {hint!r}?" if hint else "")
        )
    if keyword.iskeyword(name):
        raise NameRefusedError(f"{name!r} is a word of Python's own, so nobody could import it: take another name")
    if name in sys.stdlib_module_names or name in RESERVED:
        owner = "Python's own library" if name in sys.stdlib_module_names else "commscaffoldd or pytest"
        raise NameRefusedError(f"{name!r} is a module of {owner}, which the plugin would hide: take another name")
    found = _installed(name)
    if found is not None and not found.is_relative_to(folder.absolute()):
        raise NameRefusedError(
            f"a module {name!r} is installed ({found}), which the plugin would hide: take another name"
        )


def class_name(name: str) -> str:
    """The plugin's class: `chat_room` becomes `ChatRoom`."""
    return "".join(part.capitalize() for part in name.split("_"))


def service_name(project: str) -> str:
    """The name of a project's unit and user, made of that of its folder: systemd takes less than a file system.

    Raises:
        NameRefusedError: nothing is left of it.
    """
    name = re.sub(r"[^a-z0-9_-]+", "-", project.lower()).strip("-_")[:LONGEST_USER].rstrip("-_")
    if not name or not name[0].isalpha():
        raise NameRefusedError(
            f"{project!r} cannot be a project's name: its unit and user are called after it, so it "
            "begins with a letter"
        )
    return name


def quoted_for_systemd(word: str) -> str:
    """A word in a unit file, systemd.syntax(7): quoted if need be, and without specifiers."""
    safe = word.replace("%", "%%")
    if not re.search(r"[\s\"'\\$;]", safe):
        return safe
    escaped = safe.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'


def _suggestion(name: str) -> str:
    near = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")[:LONGEST].rstrip("_")
    return near if _NAME.fullmatch(near) and near != name else ""


def _installed(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return Path(places[0]).absolute() if places else Path(name)
