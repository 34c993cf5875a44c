"""A real Docker engine and a real registry, on loopback, for the tests, the demo and the benchmarks.

`python -m engine run -- COMMAND` uses the Docker of the machine. On a Debian machine without Docker it gets one from
Debian's own archive into `.cache`, starts it with its state in a temporary folder, and stops it afterwards.
"""

from __future__ import annotations


class EngineError(Exception):
    """Engine or registry that cannot be started; the message says what to do."""
