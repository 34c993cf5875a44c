"""Keep buildx from creating and emptying files while it only prints a definition.

`buildx bake --print` opens the tars that outputs name, and so empties them (docker/buildx before 0.30,
controller/pb/export.go and build/opt.go; later versions open a file when they first write to it). It has no option
against that, because it prints the outputs that it has opened. So the kernel prevents it: while buildx runs, a seccomp
filter answers the system call that Go's `os.Create` makes with the descriptor of standard input, which is /dev/null.
No file is opened, and nothing is written to the descriptor, because `--print` writes no outputs.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from action.process.program import ProgramGroup

_T = TypeVar("_T")

# Constants of prctl(2) and seccomp(2).
_PR_SET_NO_NEW_PRIVILEGES = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
# SECCOMP_RET_ERRNO with the error 0: the call is not made and returns 0.
_ANSWER_0 = 0x00050000

# Instructions of classic BPF (linux/bpf_common.h).
_LOAD = 0x20
_AND = 0x54
_EQUAL = 0x15
_RETURN = 0x06
# Machine to its architecture in the kernel's audit.h, and its number of the call `openat`.
_MACHINES = {"x86_64": (0xC000003E, 257), "aarch64": (0xC00000B7, 56)}

# `os.Create` opens with O_RDWR, O_CREAT and O_TRUNC. buildx does not open its own files like that.
_OPEN_FLAGS = 0o3 | 0o100 | 0o1000
_OF_CREATE = 0o2 | 0o100 | 0o1000


class UnsupportedError(Exception):
    """This system has no such filter: it is not Linux, or not one of the known machines, or forbids it."""


def can_start(program: str) -> bool:
    """Return whether a program can run with the filter. One that gains privileges, such as a snap, cannot.

    Args:
        program: the path of the program.
    """
    # Without root, a filter requires PR_SET_NO_NEW_PRIVS (seccomp(2)), with which set-user-ID programs fail.
    try:
        return os.geteuid() == 0 or Path(program).resolve(strict=True).name not in {"snap", "sudo"}
    except (AttributeError, OSError):
        return False


def protecting_files(function: Callable[[ProgramGroup], _T]) -> _T:
    """Call a function whose programs can neither create nor empty a file.

    Args:
        function: starts its programs in the given group, so that they end if this call is interrupted.

    Returns:
        What the function returned.

    Raises:
        UnsupportedError: this system has no such filter; the function was not called.
    """
    programs = ProgramGroup()

    def call() -> _T:
        _install_filter()
        return function(programs)

    # In a thread of its own: a filter applies to a thread and what it starts, cannot be removed, and ends with it.
    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(call).result()
        except BaseException:
            programs.kill_all()
            raise


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _install_filter() -> None:
    """Install the filter for the calling thread."""
    machine = _MACHINES.get(platform.machine())
    if not sys.platform.startswith("linux") or machine is None or sys.byteorder != "little":
        raise UnsupportedError
    architecture, openat = machine
    instructions = (
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, 6, architecture),
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 4, openat),
        # The lower half of the third argument: the flags are an int, and the machines are little-endian.
        (_LOAD, 0, 0, 32),
        (_AND, 0, 0, _OPEN_FLAGS),
        (_EQUAL, 0, 1, _OF_CREATE),
        (_RETURN, 0, 0, _ANSWER_0),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = b"".join(struct.pack("<HBBI", *instruction) for instruction in instructions)
    program = _Program(len(instructions), code)
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        raise UnsupportedError from None

    def install() -> bool:
        zero = ctypes.c_ulong(0)
        mode = ctypes.c_ulong(_SECCOMP_MODE_FILTER)
        return bool(prctl(_PR_SET_SECCOMP, mode, ctypes.byref(program), zero, zero) == 0)

    if install():
        return
    # Only root may install a filter without this (seccomp(2)); root does not, so that its programs stay as they are.
    one, zero = ctypes.c_ulong(1), ctypes.c_ulong(0)
    if ctypes.get_errno() != errno.EACCES or prctl(_PR_SET_NO_NEW_PRIVILEGES, one, zero, zero, zero) != 0:
        raise UnsupportedError
    if not install():
        raise UnsupportedError
