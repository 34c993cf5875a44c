"""What a definition names as a file is not touched when the definition is printed, whatever buildx does with it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from action.buildx import protected_files
from action.buildx.definition import query_definition
from action.errors import ProgramError
from action.process.docker import find_buildx
from engine.packages import CACHE
from tests.engine.conftest import Workplace

_HCL = """
target "default" {
  output = [
    "type=oci,dest=oci.tar", "type=docker,dest=FOLDER/docker.tar", "type=tar,dest=new.tar", "type=local,dest=out",
  ]
}
"""
_OUTPUTS = ["type=oci,dest=oci.tar", "type=docker,dest=FOLDER/docker.tar", "type=tar,dest=new.tar"]
_COMPOSE = {"services": {"default": {"build": {"context": ".", "x-bake": {"output": _OUTPUTS}}}}}
_DEFINITIONS = {
    "docker-bake.hcl": _HCL,
    "docker-bake.json": json.dumps({"target": {"default": {"output": _OUTPUTS}}}),
    "compose.yml": json.dumps(_COMPOSE),
}
_TARS = ("oci.tar", "docker.tar")


def prepare(folder: Path, name: str) -> dict[str, tuple[bytes, int, int]]:
    """Write a definition and the tars of an earlier bake; what each tar is."""
    (folder / name).write_text(_DEFINITIONS[name].replace("FOLDER", str(folder)), encoding="utf-8")
    for tar in _TARS:
        (folder / tar).write_text("of an earlier bake", encoding="utf-8")
    return seen(folder)


def seen(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Content, time and inode of each tar that is there."""
    tars = [folder / name for name in (*_TARS, "new.tar") if (folder / name).exists()]
    return {tar.name: (tar.read_bytes(), tar.stat().st_mtime_ns, tar.stat().st_ino) for tar in tars}


@pytest.mark.parametrize("name", list(_DEFINITIONS))
def test_a_dry_run_touches_no_file_that_an_output_names(work: Workplace, name: str) -> None:
    before = prepare(work.folder, name)
    environment = {**work.environment, "INPUTS": json.dumps({"source": "."})}
    done = work.python("-m", "action", "action", "bake", "--dry-run", environment=environment)
    assert json.loads(done.stdout)[0] == "bake", done.stderr
    assert seen(work.folder) == before


def test_a_bake_that_does_not_begin_touches_none(work: Workplace) -> None:
    before = prepare(work.folder, "docker-bake.hcl")
    definition = _HCL.replace('"type=local,dest=out"', '"type=oci,dest=a,id=1"').replace("FOLDER", str(work.folder))
    (work.folder / "docker-bake.hcl").write_text(definition, encoding="utf-8")
    step = work.bake_step(source=".")
    assert step.code == 2
    assert "id '1' is all digits" in step.log
    done = work.python("-m", "action", "bake", "--", "--allow=fs=*")
    assert done.returncode == 2
    assert seen(work.folder) == before


def test_the_bake_itself_writes_them(work: Workplace) -> None:
    before = prepare(work.folder, "docker-bake.hcl")
    step = work.bake_step(source=".", provenance="false", set="default.output=type=oci,dest=oci.tar")
    assert step.code == 0, step.log
    after = seen(work.folder)
    assert after["oci.tar"][0] != before["oci.tar"][0]
    assert after["docker.tar"] == before["docker.tar"]


def test_a_pipe_that_an_output_names_is_not_waited_for(work: Workplace) -> None:
    prepare(work.folder, "docker-bake.hcl")
    os.mkfifo(work.folder / "new.tar")
    environment = {**work.environment, "INPUTS": json.dumps({"source": "."})}
    # The command has two minutes, and buildx as long as it likes.
    assert work.python("-m", "action", "action", "bake", "--dry-run", environment=environment).returncode == 0


def plugins() -> list[Path]:
    """Every release of buildx that was fetched or built for the tests."""
    return sorted([*CACHE.glob("*/usr/libexec/docker/cli-plugins/docker-buildx"), *CACHE.glob("buildx-*/buildx")])


@pytest.mark.parametrize("name", list(_DEFINITIONS))
def test_no_release_of_buildx_touches_them(work: Workplace, name: str) -> None:
    for plugin in plugins():
        before = prepare(work.folder, name)
        targets = query_definition((str(plugin),), work.environment, ("bake", "--print"), str(work.folder))
        dests = [exporter.dest for exporter in targets["default"].requested.exporters]
        assert dests[:3] == ["oci.tar", f"{work.folder}/docker.tar", "new.tar"], plugin
        assert seen(work.folder) == before, plugin


def test_where_nothing_keeps_buildx_from_it_a_dry_run_is_refused(
    work: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protected_files, "_MACHINES", {})
    before = prepare(work.folder, "docker-bake.hcl")
    buildx, arguments = find_buildx(work.environment), ("bake", "--print")
    with pytest.raises(ProgramError, match=r"install buildx 0\.30 or later"):
        query_definition(buildx, work.environment, arguments, str(work.folder), version=(0, 29), dry_run=True)
    assert seen(work.folder) == before
