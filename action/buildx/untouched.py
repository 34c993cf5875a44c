"""Asks buildx without a file being created or emptied.

`buildx bake --print` opens the tars that outputs name and so empties them (docker/buildx before 0.30,
controller/pb/export.go and build/opt.go; the files are first opened when something is written since then). No option
keeps it from that: it prints the outputs that it has opened. So the kernel does: for the time of the question a filter
answers the call that `os.Create` of Go makes with the descriptor of standard input, which is /dev/null. No file is
opened, and none is written to, for `--print` writes to none.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from action.process.program import ProgramGroup

_T = TypeVar("_T")

_PR_SET_NO_NEW_PRIVILEGES = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_ANSWER_0 = 0x00050000
"""The call is not made and returns 0 (`SECCOMP_RET_ERRNO` with the error 0)."""

_LOAD = 0x20
_AND = 0x54
_EQUAL = 0x15
_RETURN = 0x06
_MACHINES = {"x86_64": (0xC000003E, 257), "aarch64": (0xC00000B7, 56)}
"""The architecture in the kernel's audit.h, and the number of the call `openat`."""

_OPEN_FLAGS = 0o3 | 0o100 | 0o1000
_OF_CREATE = 0o2 | 0o100 | 0o1000
"""`os.Create` opens with O_RDWR, O_CREAT and O_TRUNC; buildx's own files are not opened like that."""


class CannotBeKeptError(Exception):
    """This system has no such filter."""


def can_start(program: str) -> bool:
    """Tell whether a program can be started with the filter: one that gains privileges, such as a snap's, cannot.

    Args:
        program: the path of the program.
    """
    try:
        return os.geteuid() == 0 or Path(program).resolve(strict=True).name not in {"snap", "sudo"}
    except (AttributeError, OSError):
        return False


def without_touching(function: Callable[[ProgramGroup], _T]) -> _T:
    """Call a function that starts programs, none of which creates or empties a file.

    The filter is that of a thread, and ends with it.

    Args:
        function: gets what its programs are ended with.

    Raises:
        CannotBeKeptError: there is no such filter here; the function is not called.
    """
    made: list[_T] = []
    raised: list[BaseException] = []
    programs = ProgramGroup()

    def work() -> None:
        try:
            _install()
            made.append(function(programs))
        except BaseException as error:  # noqa: BLE001  # it is raised again where the call is
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        thread.join()
    except BaseException:
        programs.kill_all()
        thread.join()
        raise
    if raised:
        raise raised[0]
    return made[0]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _install() -> None:
    machine = _MACHINES.get(platform.machine())
    if not sys.platform.startswith("linux") or machine is None or sys.byteorder != "little":
        raise CannotBeKeptError
    architecture, openat = machine
    instructions = (
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, 6, architecture),
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 4, openat),
        # The lower half of the third argument.
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
        raise CannotBeKeptError from None

    def is_set() -> bool:
        zero = ctypes.c_ulong(0)
        mode = ctypes.c_ulong(_SECCOMP_MODE_FILTER)
        return bool(prctl(_PR_SET_SECCOMP, mode, ctypes.byref(program), zero, zero) == 0)

    if is_set():
        return
    one, zero = ctypes.c_ulong(1), ctypes.c_ulong(0)
    if ctypes.get_errno() != errno.EACCES or prctl(_PR_SET_NO_NEW_PRIVILEGES, one, zero, zero, zero) != 0:
        raise CannotBeKeptError
    if not is_set():
        raise CannotBeKeptError
