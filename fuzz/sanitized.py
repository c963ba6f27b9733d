"""Builds of the native code with gcc's sanitizers, in folders of their own, and how to run Python with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

ROOT: Final = Path(__file__).parent.parent
NATIVE: Final = Path("commscaffoldd", "core", "native")
SANITIZERS: Final = (
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer",
    "-g",
)
WITHOUT_NONE_CHECK: Final = ("wire",)  # it uses slots' attributes without the GIL, where None cannot be looked for
# What the interpreter never frees would be told as leaks, too: the stress test looks for leaks in its own way.
ASAN_OPTIONS: Final = "detect_leaks=0:exitcode=99:quarantine_size_mb={quarantine}"


class Build(Struct, frozen=True):
    """One way to build.

    Attributes:
        folder: where; a tree of its own, with a copy of the package, so that nothing else is imported from there.
        sources: Cython files, relative to the root.
        flags: of the compiler, besides the sanitizers'.
        directives: of Cython.
        quarantine: megabytes of freed memory that is not used again soon, so that late accesses are seen.
    """

    folder: Path
    sources: tuple[Path, ...]
    flags: tuple[str, ...]
    directives: dict[str, bool]
    quarantine: int


FUZZ: Final = Build(
    folder=ROOT / "build" / "fuzz",
    sources=(
        NATIVE / "frames.pyx",
        NATIVE / "header.pyx",
        Path("fuzz", "fuzz_target.pyx"),
        Path("fuzz", "fuzz_loop.pyx"),
    ),
    flags=("-O1",),
    directives={"boundscheck": False, "wraparound": False},
    quarantine=4,
)
DEBUG: Final = Build(
    folder=ROOT / "build" / "debug",
    sources=tuple(sorted(path.relative_to(ROOT) for path in (ROOT / NATIVE).glob("*.pyx"))),
    flags=("-O0", "-UNDEBUG"),
    directives={
        "boundscheck": True,
        "wraparound": False,
        "initializedcheck": True,
        "cdivision": False,
    },
    quarantine=64,
)


def why_not() -> str | None:
    """Why nothing can be built with sanitizers here; `None` if it can."""
    if shutil.which("gcc") is None:
        return "there is no gcc"
    for name in ("libasan.so", "libubsan.so"):
        if not Path(find_library(name)).is_absolute():
            return f"gcc has no {name}"
    return None


def find_library(name: str) -> str:
    """Where gcc has this library; its mere name if it has not."""
    return subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()


def environment(build: Build, *preload: Path) -> dict[str, str]:
    """The environment of a Python that imports from this build."""
    libraries = [find_library("libasan.so"), find_library("libubsan.so"), *map(str, preload)]
    return os.environ | {
        "LD_PRELOAD": ":".join(libraries),
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": f"{build.folder}:{ROOT}",
        "ASAN_OPTIONS": ASAN_OPTIONS.format(quarantine=build.quarantine),
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def make(build: Build) -> None:
    """Build what is not up to date. Raises SystemExit if the compiler fails."""
    from Cython.Build import cythonize  # noqa: PLC0415  # needed by who builds only
    from setuptools import Distribution, Extension  # noqa: PLC0415

    _copy_package(build.folder)
    traced = ("-fsanitize-coverage=trace-pc",)
    extensions = [
        Extension(
            ".".join((*source.parent.parts, source.stem)) if source.is_relative_to(NATIVE) else source.stem,
            [str(source)],
            depends=[str(one) for one in (*NATIVE.glob("*.pxd"), *NATIVE.glob("*.h"), *Path("fuzz").glob("*.pxd"))],
            include_dirs=[str(NATIVE)],
            extra_compile_args=[
                *SANITIZERS,
                *build.flags,
                "-fno-strict-aliasing",
                "-w",
                *(traced if build is FUZZ and source.stem == "frames" else ()),
            ],
            extra_link_args=["-fsanitize=address,undefined"],
        )
        for source in build.sources
    ]
    modules = [
        cythonize(
            [extension],
            build_dir=str(build.folder / "c"),
            include_path=["fuzz"],
            language_level=3,
            compiler_directives=build.directives
            | {"nonecheck": build is DEBUG and source.stem not in WITHOUT_NONE_CHECK, "binding": True},
            quiet=True,
        )[0]
        for source, extension in zip(build.sources, extensions, strict=True)
    ]
    command: Any = Distribution({"name": "sanitized", "ext_modules": modules}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(build.folder), str(build.folder / "objects")
    command.parallel = os.cpu_count() or 1
    command.ensure_finalized()
    command.run()


def make_coverage(folder: Path) -> Path:
    """Build the library that counts coverage, for preloading; not sanitized, and not traced itself."""
    library = folder / "libcoverage.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, ROOT / "fuzz" / "coverage.c"], check=True)
    return library


def _copy_package(folder: Path) -> None:
    package = ROOT / "commscaffoldd"
    for source in package.rglob("*"):
        if source.suffix not in {".py", ".pyi", ".pyx", ".pxd"}:  # all but what is built
            continue
        target = folder / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def main() -> None:
    """Run a Python module with the debug build: `python -m fuzz.sanitized pytest ...`."""
    if missing := why_not():
        sys.exit(f"nothing can be built with sanitizers: {missing}")
    os.chdir(ROOT)
    make(DEBUG)
    # -P: the current folder, with the ordinary build in it, must not come before the debug build.
    os.execve(sys.executable, [sys.executable, "-P", "-m", *sys.argv[1:]], environment(DEBUG))


if __name__ == "__main__":
    main()
