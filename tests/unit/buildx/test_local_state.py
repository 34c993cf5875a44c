from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from action.buildx.local_state import LocalState, is_built_from, known_refs, node_count, read_local_state, state_folder


def write(folder: Path, ref: str, state: object, *, at: float | None = None) -> None:
    file = folder / "refs" / ref
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(state), encoding="utf-8")
    if at is not None:
        os.utime(file, (at, at))


def test_a_builds_paths_are_read_by_its_reference(tmp_path: Path) -> None:
    write(tmp_path, "b/n/r", {"Target": "web", "LocalPath": "/src", "DockerfilePath": "/src/x.Dockerfile"})
    assert read_local_state(tmp_path, "b/n/r") == LocalState("/src", "/src/x.Dockerfile", "web")


@pytest.mark.parametrize("ref", ["b/n/other", "b/n", "", "../n/r", "b/../r", "b/n/r/s", "b//r"])
def test_the_paths_of_an_unknown_build_are_none(tmp_path: Path, ref: str) -> None:
    write(tmp_path, "b/n/r", {})
    assert read_local_state(tmp_path, ref) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "[" * 10_000])
def test_a_damaged_file_is_like_a_missing_one(tmp_path: Path, text: str) -> None:
    write(tmp_path, "b/n/r", {})
    (tmp_path / "refs/b/n/r").write_text(text)
    assert read_local_state(tmp_path, "b/n/r") is None


def test_a_build_is_matched_by_its_context(tmp_path: Path) -> None:
    for name in ("app", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "app")
    ours = LocalState(str(tmp_path / "app"), "")
    assert is_built_from(ours, "app", tmp_path)
    assert is_built_from(ours, "./other/../app/", tmp_path)
    assert is_built_from(ours, "link", tmp_path)
    assert not is_built_from(ours, "other", tmp_path)
    assert not is_built_from(ours, "https://github.com/octo/app.git#main", tmp_path)
    remote = LocalState("https://github.com/octo/app.git#main", "")
    assert is_built_from(remote, "https://github.com/octo/app.git#main", tmp_path)
    assert not is_built_from(remote, "app", tmp_path)


def test_every_build_is_known_by_its_reference_and_a_group_is_not_a_build(tmp_path: Path) -> None:
    for ref in ("b/n/first", "b/n/second", "c/n/third", "b/__group__/group"):
        write(tmp_path, ref, {})
    (tmp_path / "refs/file").touch()
    assert known_refs(tmp_path) == {"b/n/first", "b/n/second", "c/n/third"}
    assert known_refs(tmp_path / "nowhere") == frozenset()


def test_the_nodes_that_a_build_ran_on_are_counted(tmp_path: Path) -> None:
    for ref in ("b/n0/r", "b/n1/r", "b/n1/other", "c/n0/r", "b/__group__/r"):
        write(tmp_path, ref, {"Target": ref.rpartition("/")[2]})
    assert node_count(tmp_path, "b/n0/r") == 2
    assert node_count(tmp_path, "b/n1/other") == 1
    assert node_count(tmp_path, "d/n/r") == node_count(tmp_path, "..") == node_count(tmp_path, "../b/r") == 0


def test_files_with_the_same_content_and_time_are_one_build_on_several_nodes(tmp_path: Path) -> None:
    state = {"Target": "default", "LocalPath": "/src"}
    write(tmp_path, "b/n0/r", state, at=100.0)
    write(tmp_path, "b/n1/q", state, at=100.5)
    assert node_count(tmp_path, "b/n0/r") == 2
    write(tmp_path, "b/n1/q", state, at=60.0)
    assert node_count(tmp_path, "b/n0/r") == 1
    write(tmp_path, "b/n1/q", {**state, "Target": "other"}, at=100.5)
    assert node_count(tmp_path, "b/n0/r") == 1


def test_the_folder_comes_from_the_environment() -> None:
    assert state_folder({"BUILDX_CONFIG": "/x", "DOCKER_CONFIG": "/d"}) == Path("/x")
    assert state_folder({"DOCKER_CONFIG": "/d"}) == Path("/d/buildx")
    assert state_folder({}) == Path.home() / ".docker" / "buildx"
