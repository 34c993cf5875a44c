"""Processes that tests start."""

from __future__ import annotations

import time

import psutil


def has_ended(pid: int) -> bool:
    """Return whether a process has ended; one that no init collects stays a zombie."""
    for _ in range(40):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False
