"""Finding buildx and its plugin."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from action.errors import ProgramError
from action.process.search import find_buildx, find_plugin


def script(folder: Path, name: str, content: str) -> str:
    file = folder / name
    file.write_text(f"#!/bin/bash\n{content}\n")
    file.chmod(0o755)
    return str(file)


def test_docker_buildx_is_preferred_to_buildx_alone(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"neither docker nor buildx is on the PATH: install Docker"):
        find_buildx(str(tmp_path))
    plugin = script(tmp_path, "docker-buildx", "")
    assert find_buildx(str(tmp_path)) == (plugin,)
    buildx = script(tmp_path, "buildx", "")
    assert find_buildx(str(tmp_path)) == (buildx,)
    docker = script(tmp_path, "docker", "")
    assert find_buildx(str(tmp_path)) == (docker, "buildx")


@pytest.fixture
def docker(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a docker that is no script, and a configuration folder."""
    (tmp_path / "bin").mkdir()
    shutil.copy("/bin/true", tmp_path / "bin" / "docker")
    (tmp_path / "config" / "cli-plugins").mkdir(parents=True)
    return {"PATH": str(tmp_path / "bin"), "DOCKER_CONFIG": str(tmp_path / "config")}


def test_the_plugin_is_searched_for_in_dockers_order(docker: dict[str, str], tmp_path: Path) -> None:
    own = script(tmp_path / "config" / "cli-plugins", "docker-buildx", "")
    assert find_plugin(docker) == (own,)
    (tmp_path / "extra").mkdir()
    extra = script(tmp_path / "extra", "docker-buildx", "")
    config = {"cliPluginsExtraDirs": [str(tmp_path / "nowhere"), str(tmp_path / "extra")]}
    (tmp_path / "config" / "config.json").write_text(json.dumps(config))
    assert find_plugin(docker) == (extra,)


@pytest.mark.parametrize("config", ["", "[]", "{", '{"cliPluginsExtraDirs": null}'])
def test_a_config_without_plugin_folders_is_skipped(docker: dict[str, str], tmp_path: Path, config: str) -> None:
    own = script(tmp_path / "config" / "cli-plugins", "docker-buildx", "")
    (tmp_path / "config" / "config.json").write_text(config)
    assert find_plugin(docker) == (own,)


def test_the_plugin_is_not_used_if_docker_is_a_script_or_missing(docker: dict[str, str], tmp_path: Path) -> None:
    script(tmp_path / "config" / "cli-plugins", "docker-buildx", "")
    (tmp_path / "bin" / "docker").unlink()
    assert find_plugin(docker) == ()
    script(tmp_path / "bin", "docker", "")
    assert find_plugin(docker) == ()
