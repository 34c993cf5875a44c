"""A bake of which one target fails: what the others exported is reported, and nothing else is."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from threading import Thread

import pytest

from engine.packages import CACHE
from tests.engine.conftest import Step, Workplace
from tests.engine.other_end import served_digest, tar_digest
from tests.engine.registry_proxy import Fault, registry_proxy

_DEFINITION = """
group "default" { targets = ["good", "slow", "bad"] }
target "good" { output = ["type=image,name=IMAGE:good,push=true,id=release", "type=oci,dest=good.tar"] }
target "slow" { output = ["type=image,name=SLOW:slow,push=true", "type=oci,dest=slow.tar"] }
target "bad" {
  network = "none"
  dockerfile-inline = <<EOT
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "sleep SECONDS; exit 1"]
EOT
  output = ["type=image,name=IMAGE:bad,push=true"]
}
"""


def define(work: Workplace, *, slow: str, seconds: int = 5) -> None:
    text = _DEFINITION.replace("IMAGE", work.image).replace("SLOW", slow).replace("SECONDS", str(seconds))
    (work.folder / "docker-bake.hcl").write_text(text, encoding="utf-8")


def digests(step: Step) -> dict[str, dict[str, str]]:
    return dict(json.loads(step.outputs["digests"]))


@pytest.mark.usefixtures("busybox")
def test_what_was_exported_before_a_target_failed_has_its_digests(work: Workplace) -> None:
    with registry_proxy(work.registry) as hanging:
        hanging.faults.append(Fault("PUT", "/manifests/", "hang"))
        define(work, slow=f"{hanging.address}/{work.name}")
        step = work.bake_step(source=".")
        assert hanging.faulted
    assert step.code == 1
    assert digests(step) == {
        "good": {"release": served_digest(work.image, "good"), "1": tar_digest(work.folder / "good.tar")}
    }
    assert "::error::buildx failed with: ERROR: target bad: " in step.log
    assert "::warning::the bake failed; exported: good; not exported: bad, slow" in step.log
    results = json.loads(Path(step.outputs["results"]).read_text(encoding="utf-8"))
    assert list(results["targets"]) == ["good"]


@pytest.mark.usefixtures("busybox")
def test_the_command_reports_them_too(work: Workplace) -> None:
    define(work, slow=work.image)
    done = work.python("-m", "action", "bake", "--format", "json", "--", "--allow=fs=*", "good", "bad")
    assert done.returncode == 1
    assert json.loads(done.stdout)["targets"]["good"]["digest"] == served_digest(work.image, "good")
    assert list(json.loads(done.stdout)["targets"]) == ["good"]
    assert "error: buildx failed with: ERROR: target bad: " in done.stderr


@pytest.mark.usefixtures("busybox")
def test_of_two_such_bakes_at_once_no_digest_is_taken_for_the_others(work: Workplace) -> None:
    define(work, slow=work.image)
    steps: list[Step] = []
    # The targets push the same tags, so that the second push could be reported as the first bake's.
    threads = [Thread(target=lambda: steps.append(work.bake_step(source=".", targets="good,bad"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [step.code for step in steps] == [1, 1]
    for step in steps:
        # One that began when the other's builds were known tells them from its own. BuildKit's log names what it made.
        made = set(re.findall(r"^#\d+ .*(sha256:[0-9a-f]{64})", step.log, re.MULTILINE))
        assert {digest for target in digests(step).values() for digest in target.values()} <= made
    assert any(digests(step) == {} for step in steps)


@pytest.mark.usefixtures("busybox")
def test_with_deferred_errors_the_metadata_file_says_it(work: Workplace) -> None:
    plugin = CACHE / "buildx-v0.38.2-x86_64" / "buildx"
    if not plugin.is_file():
        pytest.skip("buildx 0.38 is not built here: make engines builds it")
    config = work.folder / "docker-config"
    (config / "cli-plugins").mkdir(parents=True)
    shutil.copy(plugin, config / "cli-plugins" / "docker-buildx")
    work.environment = {**work.environment, "DOCKER_CONFIG": str(config)}
    define(work, slow=work.image, seconds=1)
    command = ("-m", "action", "bake", "--format", "json", "--", "--allow=fs=*", "--jobs=defer-error")
    done = work.python(*command)
    assert done.returncode == 1
    targets = json.loads(done.stdout)["targets"]
    assert {name: [each["digest"] for each in target["exporters"]] for name, target in targets.items()} == {
        name: [served_digest(work.image, name), tar_digest(work.folder / f"{name}.tar")] for name in ("good", "slow")
    }
    assert "target bad" in done.stderr.splitlines()[-1]
