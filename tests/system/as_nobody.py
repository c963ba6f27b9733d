"""A program: the command, started by root, as the user nobody.

Everything is imported first, because that user may not be allowed to read this interpreter, or this source.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import pwd

import commscaffoldd
from commscaffoldd.cli.main import main

for name in ("encodings.idna", "encodings.utf_8_sig"):
    importlib.import_module(name)
for module in pkgutil.walk_packages(commscaffoldd.__path__, "commscaffoldd."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
nobody = pwd.getpwnam("nobody")
os.setgroups([])
os.setgid(nobody.pw_gid)
os.setuid(nobody.pw_uid)
main(prog_name="commscaffoldd")
