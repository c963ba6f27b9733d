"""Whether the native path has been built, for this Python, and can be imported."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

MODULES: Final = (
    "dispatch",
    "flight",
    "frames",
    "header",
    "queues",
    "request",
    "sending",
    "slot",
    "turn",
    "wire",
    "writer",
)
"""What is compiled."""
_THIS: Final = sys.implementation.cache_tag
_FOLDER: Final = Path(__file__).parent


def why_not_built(folder: Path = _FOLDER, package: str = "commscaffoldd.core.native") -> str | None:
    """What hinders the native path here; `None` if nothing does. Imports it, to find out.

    Args:
        folder: where the compiled modules are, if they are.
        package: its name.
    """
    missing = [name for name in MODULES if not _is_there(folder, name)]
    if len(missing) == len(MODULES):
        for other in sorted(folder.glob("*.so")):
            return f"the native engine was built for another Python: {other.name} is not for {_THIS}; install again"
        return "the native engine was not built by the installation (no C compiler, or COMMSCAFFOLDD_BUILD_NATIVE=0)"
    if missing:
        return f"the native engine is incomplete: there is no {', '.join(missing)}; install again"
    try:
        importlib.import_module(f"{package}.path")
    except Exception as error:  # noqa: BLE001  # compiled from another source, anything may be wrong with it
        text = " ".join(str(error).split())
        return f"the native engine cannot be imported: {type(error).__name__}: {text}; install again"
    return None


def _is_there(folder: Path, name: str) -> bool:
    return any((folder / f"{name}{suffix}").exists() for suffix in EXTENSION_SUFFIXES)
