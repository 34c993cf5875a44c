"""A real Docker engine and a real registry, on loopback, for the tests, the demo and the benchmarks.

`python -m engine run -- COMMAND` uses the Docker that is there. On a Debian machine without one it gets Docker from
Debian's own archive into `.cache`, starts it with a state of its own, and stops it afterwards.
"""
