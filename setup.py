"""Builds the native engine, where there is a C compiler. Everything else is in pyproject.toml.

All of its modules are built or none: some alone, or old and new ones, would not work. The environment variable
COMMSCAFFOLDD_BUILD_NATIVE says what is wanted: `auto` (the default) does without if it cannot be built, `1` makes
that an error, `0` does not try.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, ExecError, PlatformError

VARIABLE = "COMMSCAFFOLDD_BUILD_NATIVE"
FOLDER = Path("commscaffoldd", "core", "native")
# No debug information: it is half of the work of compiling. CFLAGS has the last word: `CFLAGS=-g` for gdb and perf.
FLAGS = ["-O3", "-g0", "-fno-strict-aliasing", "-Wno-unused-function", *shlex.split(os.environ.get("CFLAGS", ""))]


class BuildNative(build_ext):
    """`build_ext`, for all extensions or none, on all processors."""

    def finalize_options(self) -> None:
        """Compile at the same time, unless the caller has said otherwise."""
        super().finalize_options()
        self.parallel: int = self.parallel or len(os.sched_getaffinity(0))

    def run(self) -> None:
        """Build. Where that is optional, say in one line why not, and leave nothing behind."""
        wanted = os.environ.get(VARIABLE, "auto")
        if wanted not in {"auto", "0", "1"}:
            raise SystemExit(f"commscaffoldd: {VARIABLE} is {wanted!r}; allowed: auto, 0, 1")
        self._remove_built()
        if wanted == "0":
            self._do_without(f"{VARIABLE} is 0")
            return
        self._translate()
        try:
            super().run()
        except (CCompilerError, ExecError, PlatformError):
            if wanted == "1":
                raise
            self._remove_built()
            self._do_without(f"{self.compiler.compiler_so[0]} failed (is there a C compiler, with Python's headers?)")

    def _translate(self) -> None:
        """From Cython to C. Only here: reading the metadata must not take seconds."""
        made = cythonize(
            [Extension(one.name, list(one.sources), depends=list(one.depends)) for one in self.extensions],
            build_dir="build/cython",
            language_level=3,
            compiler_directives={"boundscheck": False, "wraparound": False, "embedsignature": False, "binding": True},
            nthreads=self.parallel,
            quiet=True,
        )
        sources = {one.name: one.sources for one in made}
        for one in self.extensions:
            one.sources = sources[one.name]

    def _remove_built(self) -> None:
        """Remove what this Python has built before, which may be of an older source."""
        for one in self.extensions:
            name = Path(self.get_ext_filename(one.name))
            Path(self.build_lib, name).unlink(missing_ok=True)
            if self.inplace:
                name.unlink(missing_ok=True)

    def _do_without(self, why: str) -> None:
        self.extensions: list[Extension] = []  # what setuptools packs, or looks for, after this
        sys.stderr.write(f"commscaffoldd: the native engine is not built, the Python engine will be used: {why}\n")


def extensions() -> list[Extension]:
    """The native path's modules."""
    headers = [*sorted(FOLDER.glob("*.pxd")), *sorted(FOLDER.glob("*.h"))]
    return [
        Extension(
            ".".join((*FOLDER.parts, source.stem)),
            [str(source)],
            depends=[str(header) for header in headers],
            include_dirs=[str(FOLDER)],
            extra_compile_args=FLAGS,
        )
        for source in sorted(FOLDER.glob("*.pyx"))
    ]


if __name__ == "__main__":  # the translator's processes may import this file
    setup(ext_modules=extensions(), cmdclass={"build_ext": BuildNative})
