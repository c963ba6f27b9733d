"""Why an address cannot be listened on, in words."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from typing import Final

FAILURE: Final = 1
NO_PERMISSION: Final = 4
CONFIGURATION: Final = 78

_MEANINGS: Final = {
    errno.EADDRINUSE: "another process listens there already",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address",
    errno.EACCES: "not permitted; a port below 1024 needs root or CAP_NET_BIND_SERVICE, "
    "a unix socket a folder that may be written to",
    errno.EPERM: "not permitted",
    errno.ENOENT: "the folder does not exist",
    errno.ENOTDIR: "a part of the path is not a folder",
    errno.EMFILE: "this process has no file descriptors left",
    errno.ENFILE: "the system has no file descriptors left",
    errno.EAFNOSUPPORT: "this machine does not speak that kind of address",
    errno.EROFS: "the file system is read-only",
}


class ListenError(Exception):
    """One address that cannot be listened on. `exit_code` is what the command should end with."""

    def __init__(self, address: str, reason: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(f"cannot listen on {address}: {reason}")


class ListenErrors(Exception):  # noqa: N818  # several, each one a ListenError
    """Every address that cannot be listened on."""

    def __init__(self, errors: Iterable[ListenError]) -> None:
        self.errors = list(errors)
        super().__init__("\n".join(map(str, self.errors)))

    @property
    def exit_code(self) -> int:
        """No permission if that is what is missing anywhere, else the first one's."""
        codes = [error.exit_code for error in self.errors]
        return NO_PERMISSION if NO_PERMISSION in codes else codes[0]


def describe(address: str, error: OSError, hint: str = "") -> ListenError:
    """The error with its meaning, its name for those who search for it, and what may be the reason."""
    if isinstance(error, socket.gaierror):
        return ListenError(address, f"the host is unknown ({error.strerror})", FAILURE)
    number = error.errno or 0
    meaning = _MEANINGS.get(number) or error.strerror or os.strerror(number)
    name = errno.errorcode.get(number, f"errno {number}")
    code = NO_PERMISSION if isinstance(error, PermissionError) else FAILURE
    return ListenError(address, f"{meaning} ({name}){hint and f'; {hint}'}", code)


def is_in_use(error: OSError) -> bool:
    """Whether somebody else has the address, perhaps only for a moment."""
    return error.errno == errno.EADDRINUSE
