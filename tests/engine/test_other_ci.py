"""The recipes of docs/other-ci.md: their scripts run on the engine as each CI system runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.conftest import ROOT, Workplace
from tests.engine.other_end import served_digest, tar_digest
from tests.github_output import read_github_output

_BIN = Path(sys.executable).parent


def _recipe(title: str) -> Any:  # noqa: ANN401  # YAML
    text = (ROOT / "docs/other-ci.md").read_text(encoding="utf-8")
    return yaml.safe_load(_block(text, title))


def _block(text: str, title: str) -> str:
    found = re.search(r"```yaml\n(.*?)```", text.partition(f"## {title}\n")[2], re.DOTALL)
    assert found is not None
    return found[1]


def _run(work: Workplace, script: str, shell: str = "sh", **variables: str) -> str:
    """Run a script in a shell; return what it printed."""
    environment = {**work.environment, "PATH": f"{_BIN}:{work.environment['PATH']}", **variables}
    done = subprocess.run(
        [shell, "-ec", script],
        cwd=work.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("title", "schema"), [("GitLab CI", "gitlab-ci"), ("Buildkite", "buildkite")])
def test_a_recipe_is_valid_for_its_system(tmp_path: Path, title: str, schema: str) -> None:
    file = tmp_path / "recipe.yml"
    file.write_text(_block((ROOT / "docs/other-ci.md").read_text(encoding="utf-8"), title))
    command = [str(_BIN / "check-jsonschema"), f"--builtin-schema=vendor.{schema}", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def test_gitlab_gets_the_digest_in_a_later_job(work: Workplace) -> None:
    jobs = _recipe("GitLab CI")
    image = {"CI_REGISTRY_IMAGE": work.image, "CI_COMMIT_SHA": "gitlab"}
    for line in jobs["build"]["script"]:
        _run(work, line, **image)
    text = (work.folder / jobs["build"]["artifacts"]["reports"]["dotenv"]).read_text(encoding="utf-8")
    # GitLab's reader (app/services/ci/parse_dotenv_artifact_service.rb): KEY=VALUE on each line, the value as it is.
    lines = [line.partition("=") for line in text.splitlines()]
    assert all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) for name, _, _ in lines)
    variables = {name: value for name, _, value in lines}
    assert variables == {"DIGEST_RELEASE": served_digest(work.image, "gitlab")}
    printed = _run(work, "\n".join(jobs["deploy"]["script"]), **image, **variables)
    assert printed == f"deploying {work.image}@{served_digest(work.image, 'gitlab')}\n"


def test_buildkite_gets_the_digest_in_a_later_step(work: Workplace) -> None:
    # Buildkite's agent needs its service: this keeps meta-data in files.
    agent = work.folder / "bin/buildkite-agent"
    agent.parent.mkdir()
    agent.write_text('#!/bin/sh\nif [ "$2" = set ]; then printf %s "$4" > "meta-$3"; else cat "meta-$3"; fi\n')
    agent.chmod(0o755)
    path = f"{agent.parent}:{_BIN}:{work.environment['PATH']}"
    variables = {"IMAGE": work.image, "BUILDKITE_COMMIT": "buildkite", "PATH": path}
    # `pipeline upload` makes `$` of `$$`.
    build, deploy = (step["command"].replace("$$", "$") for step in _recipe("Buildkite")["steps"])
    _run(work, build, "bash", **variables)
    printed = _run(work, deploy, "bash", **variables)
    assert printed == f"deploying {work.image}@{served_digest(work.image, 'buildkite')}\n"


def test_tekton_gets_the_digest_as_a_result(work: Workplace) -> None:
    (step,) = _recipe("Tekton")["spec"]["steps"]
    script = re.sub(r"\$\(results\.(\w+)\.path\)", rf"{work.folder}/\1", step["script"])
    assert "$(" not in script
    _run(work, script, IMAGE=f"{work.image}:tekton")
    assert (work.folder / "IMAGE_DIGEST").read_text() == served_digest(work.image, "tekton")
    assert (work.folder / "IMAGE_URL").read_text() == f"{work.image}:tekton"


def test_a_workflow_without_the_action_gets_the_outputs(work: Workplace) -> None:
    build, _ = _recipe("GitHub Actions without the action")["jobs"]["build"]["steps"]
    _run(work, build["run"], "bash", IMAGE=work.image, GITHUB_OUTPUT="output", GITHUB_ACTIONS="true")
    outputs = read_github_output(work.folder / "output")
    digest = served_digest(work.image, "1")
    assert outputs["digests"] == f'{{"release":"{digest}"}}'
    assert outputs["digest"] == digest
    assert outputs["refs"] == f'["{work.image}@{digest}"]'
    page = (ROOT / "docs/other-ci.md").read_text(encoding="utf-8")
    page = page.partition("The outputs are ")[2].partition("A bake has")[0]
    # Two outputs need an option that this command does not have.
    assert set(outputs) | {"results", "changed"} == set(re.findall(r"`(\w+)`", page))


def test_a_bake_has_a_variable_for_each_output_of_each_target(work: Workplace) -> None:
    target = '  output = ["type=oci,dest={0}.tar,id=image.tar", "type=local,dest={0}"]\n'
    definition = "".join(f'target "{name}" {{\n{target.format(name)}}}\n' for name in ("web", "api-v1"))
    (work.folder / "docker-bake.hcl").write_text(definition)
    _run(work, "build-digests bake --format dotenv -- web api-v1 > digests.env")
    sourced = 'set -u; . ./digests.env; echo "$DIGEST_WEB_IMAGE_TAR $DIGEST_API_V1_IMAGE_TAR"; wc -l < digests.env'
    digests = [tar_digest(work.folder / f"{name}.tar") for name in ("web", "api-v1")]
    assert _run(work, sourced).split() == [*digests, "2"]


def test_two_outputs_with_one_variable_fail_before_the_build(work: Workplace) -> None:
    done = work.python(
        *("-m", "action", "build", "--format", "dotenv", "--"),
        *("-o", "type=oci,dest=a.tar,id=web-app", "-o", "type=oci,dest=b.tar,id=web.App", "."),
    )
    assert (done.returncode, done.stdout) == (2, "")
    said = "error: --format dotenv: 'web-app' and 'web.App' both become DIGEST_WEB_APP; give the outputs ids that"
    assert done.stderr.startswith(said)
    assert not list(work.folder.glob("*.tar"))
