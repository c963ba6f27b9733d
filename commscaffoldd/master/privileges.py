"""From root to the configured user and group, once all that needs root is done."""

from __future__ import annotations

import dataclasses
import grp
import os
import pwd
from pathlib import Path


class PrivilegeError(Exception):
    """The user or group cannot be taken on; str() says which and why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Who the daemon is to be. `user` is empty if only the group changes."""

    user: str
    uid: int
    gid: int


def wanted_identity(user: str, group: str) -> Identity | None:
    """The identity to take on, None to stay who we are.

    None is also the answer for a process that is not root and so cannot change: `without_effect` has words for
    that. Raises PrivilegeError for a name that does not exist.
    """
    if os.geteuid() != 0 or not (user or group):
        return None
    uid, gid = os.geteuid(), os.getegid()
    if user:
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            raise PrivilegeError(f"daemon.user: there is no user {user!r}") from None
        uid, gid = entry.pw_uid, entry.pw_gid
    if group:
        try:
            gid = grp.getgrnam(group).gr_gid
        except KeyError:
            raise PrivilegeError(f"daemon.group: there is no group {group!r}") from None
    return Identity(user, uid, gid)


def without_effect(user: str, group: str) -> str:
    """What to warn of if this process is not root: the configured names that it does not have; empty if nothing."""
    if os.geteuid() == 0:
        return ""
    names = []
    if user and not _is_user(user):
        names.append(f"daemon.user = {user!r}")
    if group and not _is_group(group):
        names.append(f"daemon.group = {group!r}")
    return f"{' and '.join(names)} without effect: only root can become another user" if names else ""


def hand_over(identity: Identity, run_dir: Path, log_fd: int | None) -> None:
    """Give the run folder and the log to the identity that will have to write there. Raises OSError."""
    os.chown(run_dir, identity.uid, identity.gid)
    if log_fd is not None:
        os.fchown(log_fd, identity.uid, identity.gid)


def drop(identity: Identity) -> None:
    """Become the identity, for good. Raises PrivilegeError if that is impossible, or if root could be regained."""
    try:
        if identity.user:
            os.initgroups(identity.user, identity.gid)
        else:
            os.setgroups([identity.gid])
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
    except OSError as error:
        who = identity.user or f"group {identity.gid}"
        raise PrivilegeError(f"cannot become {who}: {error.strerror}") from error
    if identity.uid != 0:
        try:
            os.setuid(0)
        except PermissionError:
            return
        raise PrivilegeError(f"root could be regained after becoming {identity.user}")


def _is_user(name: str) -> bool:
    try:
        return pwd.getpwnam(name).pw_uid == os.geteuid()
    except KeyError:
        return False


def _is_group(name: str) -> bool:
    try:
        return grp.getgrnam(name).gr_gid == os.getegid()
    except KeyError:
        return False
