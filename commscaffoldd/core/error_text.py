"""An exception in one line or more, as operators and authors read it."""

from __future__ import annotations

import traceback


def describe(error: BaseException) -> str:
    """Type and text of an exception, as Python shows them last; copes with a `__str__` that raises. Any thread."""
    return "".join(traceback.format_exception_only(error)).strip()
