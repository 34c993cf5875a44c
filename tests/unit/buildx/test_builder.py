"""Files as docker 28 and buildx 0.29 write them; tests/engine/test_attestations.py makes real ones."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from action.buildx.builder import find_driver


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "buildx/instances").mkdir(parents=True)
    (tmp_path / "buildx/defaults").mkdir()
    (tmp_path / "buildx/instances/box").write_text(json.dumps({"Name": "box", "Driver": "docker-container"}))
    (tmp_path / "buildx/instances/far").write_text(json.dumps({"Name": "far", "Driver": "remote"}))
    return tmp_path


def use(state: Path, name: str, key: str = "unix:///var/run/docker.sock", *, everywhere: bool = False) -> None:
    (state / "buildx/current").write_text(json.dumps({"Key": key, "Name": name, "Global": everywhere}))


def driver(state: Path, builder: str = "", **environment: str) -> str | None:
    return find_driver({"DOCKER_CONFIG": str(state), **environment}, builder)


def test_without_a_builder_it_is_the_engine_itself(state: Path, tmp_path: Path) -> None:
    assert driver(state) == driver(tmp_path / "nowhere") == "docker"
    use(state, "")
    assert driver(state) == "docker"


def test_a_builder_that_is_named_counts_before_the_current_one(state: Path) -> None:
    use(state, "far")
    assert driver(state) == driver(state, BUILDX_BUILDER="far") == "remote"
    assert driver(state, "box") == driver(state, "BOX") == driver(state, BUILDX_BUILDER="box") == "docker-container"
    assert driver(state, "box", BUILDX_BUILDER="far") == "docker-container"


def test_the_default_context_and_any_other_one_is_a_builder_of_the_engine(state: Path) -> None:
    use(state, "box")
    (state / "contexts/meta" / hashlib.sha256(b"elsewhere").hexdigest()).mkdir(parents=True)
    assert driver(state, "default") == driver(state, "elsewhere") == "docker"


def test_a_builder_that_nobody_made_has_no_driver(state: Path) -> None:
    assert driver(state, "missing") is None
    assert driver(state, "../instances/box") is None


def test_a_builder_belongs_to_its_endpoint_unless_it_is_used_everywhere(state: Path) -> None:
    use(state, "box")
    assert driver(state, DOCKER_HOST="unix:///run/other.sock") == "docker"
    assert driver(state, DOCKER_HOST="unix:///var/run/docker.sock") == "docker-container"
    assert driver(state, DOCKER_CONTEXT="elsewhere") == "docker"
    use(state, "box", everywhere=True)
    assert driver(state, DOCKER_HOST="unix:///run/other.sock") == "docker-container"


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("tcp://10.0.0.1", "tcp://10.0.0.1:2375"),
        ("tcp://10.0.0.1:99", "tcp://10.0.0.1:99"),
        ("10.0.0.1:99", "tcp://10.0.0.1:99"),
        ("tcp://10.0.0.1/path", "tcp://10.0.0.1:2375/path"),
        ("ssh://me@host", "ssh://me@host"),
    ],
)
def test_an_engines_address_is_written_as_docker_does(state: Path, host: str, key: str) -> None:
    use(state, "box", key)
    assert driver(state, DOCKER_HOST=host) == "docker-container"


def test_an_address_with_tls_has_another_port(state: Path) -> None:
    use(state, "box", "tcp://10.0.0.1:2376")
    assert driver(state, DOCKER_HOST="tcp://10.0.0.1", DOCKER_TLS_VERIFY="1") == "docker-container"


def test_a_context_has_a_builder_of_its_own(state: Path) -> None:
    (state / "config.json").write_text(json.dumps({"currentContext": "elsewhere"}))
    assert driver(state) == "docker"
    use(state, "far", "elsewhere")
    assert driver(state) == driver(state, DOCKER_CONTEXT="elsewhere") == "remote"
    assert driver(state, DOCKER_CONTEXT="third") == driver(state, DOCKER_HOST="unix:///x") == "docker"


def test_a_default_builder_of_an_endpoint_comes_after_the_current_one(state: Path) -> None:
    default = state / "buildx/defaults" / hashlib.sha256(b"unix:///var/run/docker.sock").hexdigest()[:20]
    default.write_text("far")
    assert driver(state) == "remote"
    use(state, "box", "unix:///run/other.sock")
    assert driver(state) == "remote"
    use(state, "box")
    assert driver(state) == "docker-container"


def test_a_current_builder_that_was_removed_leaves_the_engine(state: Path) -> None:
    use(state, "gone")
    assert driver(state) == "docker"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"Driver": 1}', '{"Driver": ""}', "\xff", "[" * 10_000])
def test_a_damaged_file_says_nothing(state: Path, text: str) -> None:
    (state / "buildx/instances/box").write_text(text, encoding="latin-1")
    assert driver(state, "box") is None
    (state / "buildx/current").write_text(text, encoding="latin-1")
    (state / "config.json").write_text(text, encoding="latin-1")
    assert driver(state) == "docker"


def test_buildxs_own_folder_counts_first(state: Path, tmp_path: Path) -> None:
    use(state, "box")
    assert driver(state, BUILDX_CONFIG=str(tmp_path / "other")) == "docker"
    assert driver(tmp_path / "other", BUILDX_CONFIG=str(state / "buildx")) == "docker-container"


@pytest.mark.parametrize("name", ["x" * 5000, "a\udcff", "-", "a/b"])
def test_a_name_that_no_builder_can_have_is_not_known(state: Path, name: str) -> None:
    assert driver(state, name) is driver(state, BUILDX_BUILDER=name) is None
    assert driver(state, DOCKER_CONTEXT=name) == driver(state, DOCKER_HOST=f"unix:///{name}") == "docker"
