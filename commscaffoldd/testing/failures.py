"""What went wrong in a worker under test: handlers, hooks and threads that failed, as the log tells of them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from commscaffoldd.log.logfile import ROOT

PACKAGE: Final = Path(__file__).parents[1]
PATIENCE: Final = 5.0  # seconds to wait for a failure that is expected


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerError:
    """One error that the daemon would have logged.

    Attributes:
        text: the log's line.
        error: the exception, if it was one.
        stack: the lines of its traceback that are not the daemon's own, or of the stack that was logged.
    """

    text: str
    error: BaseException | None = None
    stack: str = ""

    def __str__(self) -> str:
        """Text and stack."""
        return f"{self.text}\n{self.stack}".rstrip()


class Errors(list[WorkerError]):
    """The errors of a worker, in their order; a list, from which a test may take what it expects.

    `worker.errors.clear()` forgets them, `expect` waits for one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def note(self, error: WorkerError) -> None:
        """Add an error. Any thread."""
        with self._changed:
            self.append(error)
            self._changed.notify_all()

    @contextlib.contextmanager
    def expect(
        self, kind: type[BaseException] = BaseException, match: str = "", timeout: float = PATIENCE
    ) -> Iterator[ExpectedError]:
        """A block in which the worker has to fail, as `pytest.raises` is one for the test itself.

        Args:
            kind: the exception's class.
            match: a regular expression that is searched for in the log's line.
            timeout: seconds to wait for it at the block's end.

        Raises:
            AssertionError: it did not.
        """
        expected = ExpectedError()
        yield expected
        wanted = re.compile(match)
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for one in self:
                    if isinstance(one.error, kind) and wanted.search(one.text):
                        self.remove(one)
                        expected.found = one
                        return
                if not self._changed.wait(deadline - time.monotonic()):
                    what = kind.__name__ + (f" matching {match!r}" if match else "")
                    raise AssertionError(f"no handler or hook has failed with {what}; errors: {self or 'none'}")


class ExpectedError:
    """What `Errors.expect` has waited for, once its block has ended."""

    found: WorkerError | None = None

    @property
    def value(self) -> BaseException:
        """The exception."""
        assert self.found is not None, "nothing has failed yet: look at it after the block"
        assert self.found.error is not None, "expect() only finds errors with an exception"
        return self.found.error


class _Catcher(logging.Handler):
    """Hears what the daemon's own code logs as an error; what plugins log themselves is their business."""

    def __init__(self, errors: Errors) -> None:
        super().__init__(logging.ERROR)
        self._errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        if not Path(record.pathname).is_relative_to(PACKAGE):
            return
        error = record.exc_info[1] if record.exc_info else None
        stack = format_error(error) if error is not None else record.stack_info or ""
        self._errors.note(WorkerError(record.getMessage(), error, stack))


@contextlib.contextmanager
def caught_errors(errors: Errors) -> Iterator[None]:
    """Collect what the daemon logs as an error, meanwhile."""
    catcher = _Catcher(errors)
    logger = logging.getLogger(ROOT)
    logger.addHandler(catcher)
    try:
        yield
    finally:
        logger.removeHandler(catcher)


def format_error(error: BaseException) -> str:
    """The traceback without the lines of the daemon that lead to the plugin's."""
    whole = traceback.TracebackException.from_exception(error)
    own = [frame for frame in whole.stack if not Path(frame.filename).is_relative_to(PACKAGE)]
    if own:
        whole.stack = traceback.StackSummary.from_list(own)
    return "".join(whole.format())
