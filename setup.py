"""Builds the native engine, where there is a C compiler. Everything else is in pyproject.toml."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FOLDER = Path("commscaffoldd", "core", "native")
FLAGS = ["-O3", "-fno-strict-aliasing", "-Wno-unused-function"]


class BuildNative(build_ext):
    """`build_ext` that says in one line what a missing or failing compiler means."""

    def run(self) -> None:
        """Build, or say why not: the Python engine does without."""
        super().run()
        missing = [one.name for one in self.extensions if not Path(self.get_ext_fullpath(one.name)).exists()]
        if missing and not self.inplace:
            missing = [one for one in missing if not Path(self.build_lib, self.get_ext_filename(one)).exists()]
        if missing:
            print(
                "commscaffoldd: the native engine was not built (is there a C compiler?); the Python engine will be used",
                file=sys.stderr,
            )


def extensions() -> list[Any]:
    """The native path's modules, each optional."""
    if os.environ.get("COMMSCAFFOLDD_BUILD_NATIVE", "1") == "0":
        return []
    modules = [
        Extension(
            ".".join((*FOLDER.parts, source.stem)),
            [str(source)],
            depends=[str(header) for header in [*sorted(FOLDER.glob("*.pxd")), *sorted(FOLDER.glob("*.h"))]],
            include_dirs=[str(FOLDER)],
            extra_compile_args=FLAGS,
            optional=True,
        )
        for source in sorted(FOLDER.glob("*.pyx"))
    ]
    return cythonize(
        modules,
        build_dir="build/cython",
        language_level=3,
        compiler_directives={"boundscheck": False, "wraparound": False, "embedsignature": False, "binding": True},
        quiet=True,
    )


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildNative})
