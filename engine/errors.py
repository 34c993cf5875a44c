"""The error of this package."""

from __future__ import annotations


class EngineError(Exception):
    """Engine or registry that cannot be started; the message says what to do."""
