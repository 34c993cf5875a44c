"""Fixtures of the unit tests."""

from tests.installed import bare_python, own_tool_cache, run_cache, sigint_ends, tool_cache, uv_path, wheel

__all__ = ["bare_python", "own_tool_cache", "run_cache", "sigint_ends", "tool_cache", "uv_path", "wheel"]
