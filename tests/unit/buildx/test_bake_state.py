"""The builds of a bake that failed, found in files as buildx writes them, beside those of other bakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action.buildx.bake_state import failed_target, refs_of_failed_bake
from action.buildx.local_state import known_groups, known_refs


class State:
    """buildx's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "buildx"
        self.start = folder / "project"
        self.start.mkdir()
        self.groups: frozenset[str] = frozenset()
        self.refs: frozenset[str] = frozenset()

    def bake(
        self, group: str, *targets: str, context: str = "", nodes: tuple[str, ...] = ("n",), built: int = 9
    ) -> None:
        """Write what a bake writes; `built` is how many of its targets have a file of their own yet."""
        names = {target: f"{group}{place}" for place, target in enumerate(targets)}
        self._write(f"__group__/{group}", {"Targets": ["default"], "Refs": list(names.values())})
        for target, name in list(names.items())[:built]:
            paths = {"LocalPath": context or str(self.start), "DockerfilePath": "", "GroupRef": group}
            for node in nodes:
                self._write(f"b/{node}/{name}", {"Target": target, **paths})

    def _write(self, name: str, value: object) -> None:
        file = self.folder / "refs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value), encoding="utf-8")

    def begin(self) -> None:
        """Remember what is there before the bake."""
        self.groups, self.refs = known_groups(self.folder), known_refs(self.folder)

    def found(self, *targets: str) -> dict[str, str]:
        contexts = dict.fromkeys(targets, ".")
        return refs_of_failed_bake(self.folder, targets, contexts, self.start, self.groups, self.refs)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path)


def test_the_builds_of_the_only_new_bake_are_found(state: State) -> None:
    state.bake("old", "web", "api")
    state.begin()
    state.bake("new", "web", "api")
    assert state.found("web", "api") == {"web": "b/n/new0", "api": "b/n/new1"}


def test_bakes_of_other_targets_and_folders_do_not_count(state: State, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    state.begin()
    state.bake("a", "web", "api", context=str(other))
    state.bake("b", "web", "docs")
    state.bake("c", "web")
    state.bake("d", "web", "api", "docs")
    state.bake("e", "web", "api")
    assert state.found("web", "api") == {"web": "b/n/e0", "api": "b/n/e1"}


def test_if_two_bakes_match_neither_is_returned(state: State) -> None:
    state.begin()
    state.bake("a", "web", "api")
    state.bake("b", "web", "api")
    assert state.found("web", "api") == {}


def test_a_bake_without_builds_stays_a_candidate(state: State) -> None:
    # A target that this builder cannot build ends a bake before its builds have files. Those of another do not count.
    state.begin()
    state.bake("own", "web", "api", built=0)
    assert state.found("web", "api") == {}
    state.bake("other", "web", "api")
    assert state.found("web", "api") == {}


def test_a_group_that_cannot_be_read_stays_a_candidate(state: State) -> None:
    state.begin()
    state.bake("a", "web", "api")
    (state.folder / "refs/__group__/b").write_text("{", encoding="utf-8")
    assert state.found("web", "api") == {}


def test_a_build_on_several_nodes_is_left_out(state: State) -> None:
    state.begin()
    state.bake("a", "web", "api", nodes=("n0", "n1"))
    assert state.found("web", "api") == {}


def test_an_empty_folder_has_no_builds(state: State) -> None:
    assert state.found("web") == {}


@pytest.mark.parametrize(
    ("log", "name"),
    [
        ("#1 x\nERROR: target web: failed to solve: x\n", "web"),
        ("ERROR: target web: x\nERROR: no builder\n", None),
        ("ERROR: target other: x\n", None),
        ("#7 1.0 ERROR: target web: x\n", None),
        ("ERROR: failed to solve: x\n", None),
        ("", None),
    ],
)
def test_the_failed_target_is_read_from_the_last_error(log: str, name: str | None) -> None:
    assert failed_target(log, ["web", "api"]) == name
