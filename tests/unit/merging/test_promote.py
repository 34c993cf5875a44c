"""What is wrong with a results file or with tags is found before any registry is asked."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from action.errors import BuildDigestsError
from action.exporters.attributed import AttributedBuild, document_text
from action.inputs.promote import promote_request
from action.merging.promote import run_promote
from action.process.log import Log
from tests.unit.merging.jobs import exporter, results

ONE = exporter("one", names=("ghcr.io/octo/app:1",), digest="one")
TWO = exporter("two", names=("docker.io/octo/app:1",), digest="two")
UNKNOWN = exporter("one", names=("ghcr.io/octo/app:1",), digest=None)
TAR = exporter("tar", names=(), kind="oci", push=False)
LOADED = exporter("one", names=("app",), push=False)
BAKE = {"web": results(ONE), "api": results(TWO)}


def _errors(file: Path, *, tags: str = "localhost:5000/app:2", **options: object) -> list[str]:
    log = Log(captured=True, stream=io.BytesIO(), write_line=print)
    try:
        request = promote_request(source=str(file), tags=tags.split(), **options)  # type: ignore[arg-type]
        return [str(error) for error in run_promote(request, log, print).errors]
    except BuildDigestsError as error:
        return [str(error)]


@pytest.mark.parametrize(
    ("builds", "options", "message"),
    [
        ({"": results(ONE)}, {"keys": ["three"]}, "keys: F has no exporter 'three'; its keys are: one"),
        ({"": results()}, {"keys": ["one"]}, "keys: F has no exporter 'one'; its keys are: none"),
        ({"": results(TAR)}, {}, "source: F has no image that was pushed, so no registry has it; push it"),
        (
            {"": results(LOADED)},
            {"keys": ["one"]},
            "F: exporter one (image) was not pushed, so no registry has it: push it",
        ),
        ({"": results(UNKNOWN)}, {}, "F: exporter one has no digest: read the warnings"),
        ({"": results(ONE)}, {"tags": "two=app:1"}, "tags: app:1: there is no key 'two'; the keys are: one"),
        ({"": results(ONE, TWO)}, {}, "tags: localhost:5000/app:2: no exporter was pushed to its repository; the keys"),
        (
            {"": results(ONE, TWO)},
            {"tags": "one=octo/x two=docker.io/octo/x:latest"},
            "tags: docker.io/octo/x:latest is for one and for two, which are different images; give each",
        ),
        ({"": results(ONE)}, {"target": "web"}, "F: these are the results of a build, which has no target web"),
        (BAKE, {}, "F: these are the results of a bake with the targets web, api: set target to one of them"),
        (BAKE, {"target": "db"}, "F: there is no target db; it has: web, api"),
        (BAKE, {"target": "api", "keys": ["one"]}, "keys: F has no exporter 'one'; its keys are: two"),
    ],
)
def test_an_error_says_what_is_wrong_with_the_results(
    builds: dict[str, AttributedBuild],
    options: dict[str, object],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", {"PATH": ""})
    file = tmp_path / "results.json"
    file.write_text(document_text(builds, bake="" not in builds), encoding="utf-8")
    (error,) = _errors(file, **options)  # type: ignore[arg-type]
    assert error.replace(str(file), "F").startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{}", "F: at the top: "), ("no JSON", "F: at the top: expected JSON"), ("\0", "F: at the top: expected JSON")],
)
def test_a_file_that_is_no_results_file_is_named(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    file.write_text(text)
    (error,) = _errors(file)
    assert error.replace(str(file), "F").startswith(message)


def test_usable_results_need_buildx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"PATH": ""})
    file = tmp_path / "results.json"
    file.write_text(document_text({"": results(ONE, TAR)}, bake=False), encoding="utf-8")
    (error,) = _errors(file)
    assert error.startswith("neither docker nor buildx is on the PATH")
