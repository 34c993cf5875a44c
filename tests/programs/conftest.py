"""Fixtures of the tests that start programs."""

from tests.installed import (
    bare_python,
    installed,
    own_tool_cache,
    run_cache,
    sigint_ends,
    tool_cache,
    uv_path,
    wheel,
    wheel_metadata,
)

__all__ = [
    "bare_python",
    "installed",
    "own_tool_cache",
    "run_cache",
    "sigint_ends",
    "tool_cache",
    "uv_path",
    "wheel",
    "wheel_metadata",
]
