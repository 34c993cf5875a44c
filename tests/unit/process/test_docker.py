"""Finding buildx: with docker, without it, and as the plugin that docker would start."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from action.errors import ProgramError
from action.process.docker import find_buildx, plugin_variables
from action.process.program import capture_output


def script(folder: Path, name: str, content: str = "") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/bash\n{content}\n")
    file.chmod(0o755)
    return str(file)


def test_docker_buildx_is_preferred_to_buildx_alone(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path)}
    with pytest.raises(ProgramError, match=r"neither docker nor buildx is on the PATH: install Docker"):
        find_buildx(environment)
    plugin = script(tmp_path, "docker-buildx")
    assert find_buildx(environment) == (plugin,)
    buildx = script(tmp_path, "buildx")
    assert find_buildx(environment) == (buildx,)
    docker = script(tmp_path, "docker")
    assert find_buildx(environment) == (docker, "buildx")


@dataclass
class Installed:
    """A docker that is a program, and its configuration folder with a plugin.

    Attributes:
        folder: the folder of both.
        environment: the environment that leads to them.
    """

    folder: Path
    environment: dict[str, str]

    @property
    def docker(self) -> tuple[str, ...]:
        """The command that starts docker."""
        return (str(self.folder / "bin" / "docker"), "buildx")

    @property
    def plugin(self) -> tuple[str, ...]:
        """The command that starts the plugin."""
        return (str(self.folder / "config" / "cli-plugins" / "docker-buildx"), "buildx")

    def configure(self, config: object) -> None:
        """Write docker's configuration: a text as it is, anything else as JSON."""
        text = config if isinstance(config, str) else json.dumps(config)
        (self.folder / "config" / "config.json").write_text(text)


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    (tmp_path / "bin").mkdir()
    shutil.copy("/bin/true", tmp_path / "bin" / "docker")
    script(tmp_path / "config" / "cli-plugins", "docker-buildx")
    return Installed(tmp_path, {"PATH": str(tmp_path / "bin"), "DOCKER_CONFIG": str(tmp_path / "config")})


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"auths": {}, "cliPluginsExtraDirs": None, "currentContext": "default", "aliases": {}, "plugins": None},
        {"aliases": {"builder": "buildx"}, "plugins": {"-x-cli-hints": {"enabled": "true"}}},
    ],
)
def test_the_plugin_is_started_without_docker(installed: Installed, config: object) -> None:
    if config is not None:
        installed.configure(config)
    assert find_buildx(installed.environment) == installed.plugin


@pytest.mark.parametrize(
    "config",
    [
        "",
        "{",
        "[]",
        "\N{ZERO WIDTH NO-BREAK SPACE}{}",
        {"aliases": []},
        {"aliases": {"builder": "other"}},
        {"Aliases": {"build": "buildx"}},
        {"plugins": {"debug": {"hooks": "buildx build"}}},
        {"plugins": {"debug": {"error-hooks": "buildx"}}},
        {"plugins": []},
        {"plugins": {"debug": None}},
        {"currentContext": "elsewhere"},
        {"currentContext": ["default"]},
        {"cliPluginsExtraDirs": ""},
        {"cliPluginsExtraDirs": "/plugins"},
        {"cliPluginsExtraDirs": [1]},
        {"cliPluginsExtraDirs": ["relative"]},
    ],
)
def test_docker_is_used_if_its_configuration_asks_for_more_or_is_damaged(installed: Installed, config: object) -> None:
    installed.configure(config)
    assert find_buildx(installed.environment) == installed.docker


@pytest.mark.parametrize(
    ("name", "value", "starts_plugin"),
    [
        ("DOCKER_BUILDKIT", "1", True),
        ("DOCKER_BUILDKIT", "0", True),
        ("DOCKER_BUILDKIT", "yes", False),
        ("DOCKER_CONTEXT", "", True),
        ("DOCKER_CONTEXT", "default", True),
        ("DOCKER_CONTEXT", "elsewhere", False),
        ("DOCKER_HOST", "tcp://127.0.0.1:1", True),
        ("DOCKER_CLI_HOOKS", "1", False),
        ("DOCKER_CLI_OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317", False),
        ("DOCKER_CLI_PLUGIN_SOCKET", "@docker_cli", False),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317", False),
        ("HOME", "", False),
    ],
)
def test_docker_is_used_if_the_environment_asks_for_more(
    installed: Installed, name: str, value: str, *, starts_plugin: bool
) -> None:
    found = find_buildx({**installed.environment, name: value})
    assert found == (installed.plugin if starts_plugin else installed.docker)


def test_docker_is_used_if_it_is_a_script_or_a_program_of_another_name(installed: Installed) -> None:
    docker = installed.folder / "bin" / "docker"
    docker.rename(installed.folder / "bin" / "snap")
    docker.symlink_to("snap")
    assert find_buildx(installed.environment) == installed.docker
    docker.unlink()
    script(docker.parent, "docker")
    assert find_buildx(installed.environment) == installed.docker


def test_the_plugin_is_searched_for_in_dockers_order(installed: Installed) -> None:
    nowhere, extra = installed.folder / "nowhere", installed.folder / "extra"
    extra.mkdir()
    installed.configure({"cliPluginsExtraDirs": [str(nowhere), str(extra)]})
    (extra / "docker-buildx").symlink_to(installed.folder / "missing")
    assert find_buildx(installed.environment) == installed.plugin
    (extra / "docker-buildx").unlink()
    plugin = script(extra, "docker-buildx")
    assert find_buildx(installed.environment) == (plugin, "buildx")


def test_docker_is_used_if_the_first_plugin_cannot_be_run_or_is_in_the_workspace(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = installed.folder / "extra"
    installed.configure({"cliPluginsExtraDirs": [str(extra)]})
    plugin = Path(script(extra, "docker-buildx"))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(extra))
    assert find_buildx(installed.environment) == installed.docker
    monkeypatch.delenv("GITHUB_WORKSPACE")
    plugin.chmod(0o644)
    assert find_buildx(installed.environment) == installed.docker
    plugin.unlink()
    plugin.mkdir()
    assert find_buildx(installed.environment) == installed.docker


def test_the_plugin_gets_the_variable_with_dockers_path_and_no_other_program_does(installed: Installed) -> None:
    name = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"
    script(installed.folder / "config" / "cli-plugins", "docker-buildx", f'echo "$1 $2 ${name}"')
    environment = {**installed.environment, "PATH": f"{installed.environment['PATH']}:{os.environ['PATH']}"}
    ended = capture_output((*find_buildx(environment), "version"), environment, seconds=10)
    assert ended.stdout == f"buildx version {installed.docker[0]}\n"
    assert plugin_variables(installed.docker, environment) == {}
    assert plugin_variables(("/opt/docker-buildx", "build"), environment) == {}
    assert plugin_variables(("/usr/bin/git",), environment) == {}
