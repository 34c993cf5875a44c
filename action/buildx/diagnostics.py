"""What docker and buildx print about themselves, queried while a build runs, so that no step waits for it."""

from __future__ import annotations

import os

from action.errors import ProgramError
from action.process.docker import find_buildx
from action.process.program import ProgramGroup, capture_output
from action.process.search import find_program

_QUERY_SECONDS = 20.0


class Diagnostics:
    """The versions of docker and buildx, and the builder.

    Args:
        builder: the builder of the run, or empty for the current one.
        driver: its driver, or None if it is not known.
        token: ACTIONS_RUNTIME_TOKEN, or empty.

    Attributes:
        driver: the builder's driver, or None if it is not known.
        token: ACTIONS_RUNTIME_TOKEN, or empty.
        texts: the arguments of a program, such as `docker version`, to what it printed, as far as that is known.
    """

    def __init__(self, builder: str, driver: str | None, token: str) -> None:
        """Keep what is known already; `query` starts the programs."""
        self.driver = driver
        self.token = token
        self.texts: dict[str, str] = {}
        self._builder = builder
        self._stopped = False

    def stop(self) -> None:
        """Start no more programs; one that runs goes on."""
        # Python's interpreter lock is held until a new program runs, which takes long on a busy machine.
        self._stopped = True

    def query(self, programs: ProgramGroup) -> None:
        """Start one program after the other, at the lowest priority; a failure is part of the text.

        Args:
            programs: the group that can kill the programs.
        """
        docker = find_program("docker")
        try:
            buildx = find_buildx(os.environ)
        except ProgramError:
            # The run has reported it.
            return
        inspect = (*buildx, "inspect", *((self._builder,) if self._builder else ()))
        self._query("docker version", (docker, "version") if docker else (), programs)
        self._query("buildx version", (*buildx, "version"), programs)
        self._query("buildx inspect", inspect, programs)
        # The last one: docker starts each of its plugins for it.
        self._query("docker info", (docker, "info") if docker else (), programs)

    def _query(self, name: str, command: tuple[str, ...], programs: ProgramGroup) -> None:
        if not command or self._stopped or programs.killed.is_set():
            return
        try:
            ended = capture_output(command, os.environ, seconds=_QUERY_SECONDS, programs=programs, idle=True)
        except ProgramError as error:
            self.texts[name] = str(error)
        else:
            if not programs.killed.is_set():
                self.texts[name] = ended.stdout + ended.stderr
