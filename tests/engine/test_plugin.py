"""The buildx plugin that is started without docker is the one that docker starts, and behaves as under docker."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from action.process.docker import find_buildx
from action.process.program import CompletedProgram, capture_output
from tests.engine.conftest import Workplace

_BY_DOCKER_ALONE = ("DOCKER_CLI_PLUGIN_SOCKET", "OTEL_RESOURCE_ATTRIBUTES")
"""What else docker gives a plugin: a socket that closes when docker is interrupted, and attributes of its telemetry.

A signal reaches the plugin itself. The attributes are those of docker's own telemetry, with which docker is started.
"""

_RECORDER = """#!/bin/bash
if [ "$1" = docker-cli-plugin-metadata ]; then
    echo '{"SchemaVersion": "0.1.0", "Vendor": "of this test"}'
else
    printf '%s\\n' "$0" "$@"
    sort -z /proc/$$/environ | tr '\\0' '\\n'
    exit 7
fi
"""


def ways(environment: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the command that docker would run, and the plugin's alone."""
    docker = shutil.which("docker", path=environment["PATH"])
    assert docker is not None
    plugin = find_buildx(environment)
    assert Path(plugin[0]).name == "docker-buildx"
    return (docker, "buildx"), plugin


def ended(command: tuple[str, ...], work: Workplace, environment: Mapping[str, str]) -> CompletedProgram:
    return capture_output(command, environment, seconds=60, folder=str(work.folder))


@pytest.mark.parametrize("chosen", range(3))
def test_docker_starts_the_same_plugin_with_the_same_arguments_and_environment(work: Workplace, chosen: int) -> None:
    folders = [work.folder / "first", work.folder / "second", work.folder / "config" / "cli-plugins"]
    for folder in folders:
        folder.mkdir(parents=True)
    for folder in folders[chosen:]:
        (folder / "docker-buildx").write_text(_RECORDER)
        (folder / "docker-buildx").chmod(0o755)
    config = {"cliPluginsExtraDirs": [str(folder) for folder in folders[:2]]}
    (work.folder / "config" / "config.json").write_text(json.dumps(config))
    environment = {**work.environment, "DOCKER_CONFIG": str(work.folder / "config"), "A": "1"}
    by_docker, alone = (
        ended((*command, "build", "--output", "type=x y", ""), work, environment) for command in ways(environment)
    )
    lines = alone.stdout.splitlines()
    assert lines[:5] == [str(folders[chosen] / "docker-buildx"), "buildx", "build", "--output", "type=x y"]
    assert "A=1" in lines
    assert lines == [line for line in by_docker.stdout.splitlines() if not line.startswith(_BY_DOCKER_ALONE)]
    assert alone.code == by_docker.code == 7


@pytest.mark.parametrize(
    "arguments",
    [
        ("build", "--help"),
        ("build", "--nonsense"),
        ("nonsense",),
        ("--builder", "nonsense", "build", "."),
        ("--context", "nonsense", "build", "."),
        ("build", "nowhere"),
        # The refusal names the whole command, with docker's path.
        ("bake", "--set=*.output=type=local,dest=/nowhere"),
        ("history", "export", "nonsense"),
        ("imagetools", "inspect", "127.0.0.1:1/nowhere"),
    ],
)
def test_messages_and_exit_codes_are_the_same_as_with_docker(work: Workplace, arguments: tuple[str, ...]) -> None:
    (work.folder / "docker-bake.json").write_text('{"target": {"default": {}}}')
    by_docker, alone = (ended((*command, *arguments), work, work.environment) for command in ways(work.environment))
    assert alone == by_docker
    assert alone.stdout + alone.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS_VERIFY": "1"},
        {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nowhere"},
        {"DOCKER_HOST": "nonsense://"},
        {"DOCKER_API_VERSION": "0.1"},
    ],
)
def test_variables_of_docker_have_the_same_effect(work: Workplace, variables: Mapping[str, str]) -> None:
    environment = {**work.environment, **variables}
    by_docker, alone = (ended((*command, "build", "."), work, environment) for command in ways(environment))
    assert alone == by_docker
    assert alone.code
