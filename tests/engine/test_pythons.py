"""A step with each Python that the action supports and that is on this machine; all other tests use one of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.engine.conftest import Launched, Workplace, lines
from tests.engine.other_end import served_digest, tar_digest
from tests.starting import real_python

_OTHERS = [each for each in ("3.10", "3.11", "3.12", "3.13", "3.14") if each != "{}.{}".format(*sys.version_info)]


@pytest.mark.parametrize("version", _OTHERS)
def test_a_step_installs_its_packages_and_reports_the_digests(work: Workplace, tmp_path: Path, version: str) -> None:
    python = real_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")
    programs = tmp_path.with_name(f"{tmp_path.name}-programs")
    programs.mkdir()
    (programs / "python3").symlink_to(python)
    (programs / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    work.environment = {**work.environment, "PATH": f"{programs}:{work.environment['PATH']}"}
    launched = Launched(work, {}, programs / "tool-cache")
    outputs = lines(f"type=image,name={work.image}:1,push=true,id=image", "type=oci,dest=oci.tar,id=oci")
    step = launched.built(outputs=outputs, require_digests="true", verify="true", retries="1")
    expected = {"image": served_digest(work.image, "1"), "oci": tar_digest(work.folder / "oci.tar")}
    assert step.digests == expected
    installed = [each.name for each in (programs / "tool-cache/build-digests").iterdir() if each.is_dir()]
    assert [name for name in installed if name.startswith("models-")]
    assert all(f".cpython-{version.replace('.', '')}" in name for name in installed)
