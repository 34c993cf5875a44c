"""`python -m engine run -- COMMAND`: run a command with a Docker engine and a registry."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from types import FrameType

from engine import EngineError
from engine.docker import Docker, ImageStore, present_docker, private_docker
from engine.packages import debian_codename, say
from engine.registry import registry

REGISTRY_VARIABLE = "BUILD_DIGESTS_REGISTRY"
"""The environment variable with the address of the registry."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code, or 1 if no engine can be started."""
    parser = argparse.ArgumentParser(prog="python -m engine", description=__doc__)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="run a command with a Docker engine and a registry on loopback")
    run.add_argument("--image-store", choices=("containerd", "classic"), default="containerd")
    run.add_argument("--private", action="store_true", help="start a private engine even if the machine has Docker")
    run.add_argument("command", nargs="+", metavar="-- COMMAND")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    try:
        with _docker(options.image_store, private=options.private) as docker, registry(docker) as address:
            environment = {**docker.environment, REGISTRY_VARIABLE: address}
            with subprocess.Popen(options.command, env=environment) as process:
                try:
                    return process.wait()
                except BaseException:
                    process.terminate()
                    raise
    except EngineError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


@contextlib.contextmanager
def _docker(image_store: ImageStore, *, private: bool) -> Iterator[Docker]:
    found = "" if private else present_docker()
    if isinstance(found, Docker):
        if found.image_store == image_store:
            say(f"using the Docker of this machine ({image_store} image store)")
            yield found
            return
        if debian_codename() is None or os.geteuid() != 0:
            message = (
                f"the Docker of this machine has the {found.image_store} image store, not the {image_store} one: "
                'set {"features": {"containerd-snapshotter": true}} in /etc/docker/daemon.json and restart Docker'
            )
            raise EngineError(message)
        say(f"the Docker of this machine is not used: it has the {found.image_store} image store")
    elif found:
        say(f"no Docker can be used: {found}")
    with private_docker(image_store) as docker:
        yield docker


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
