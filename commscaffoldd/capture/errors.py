"""What can be wrong with a capture."""

from __future__ import annotations


class CaptureError(ValueError):
    """A file that cannot be read as a capture; the text says where, what was found, and what is allowed."""
