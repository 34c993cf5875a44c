"""What keeps an engine from being had."""

from __future__ import annotations


class EngineError(Exception):
    """No engine or registry can be had; the message says what to do."""
