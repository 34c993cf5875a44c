"""`verify`: a digest is handed on where the registry serves it and the tar holds it, and nowhere else."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from tests.engine.conftest import ASKS_FOR_RECORD, Workplace, fake_docker, lines
from tests.engine.other_end import served_digest, tar_digest
from tests.engine.registry_proxy import Fault, registry_proxy


def _errors(log: str) -> list[str]:
    return [line for line in log.splitlines() if line.startswith("::error::")]


def test_what_is_there_is_handed_on(work: Workplace) -> None:
    step = work.step(
        outputs=lines(
            f'type=image,"name={work.image}:a,{work.image}-other:b",push=true,id=release',
            "type=oci,dest=oci.tar",
            "type=docker,dest=docker.tar",
            "type=oci,dest=folder,tar=false",
            "type=local,dest=out",
        ),
        verify="true",
    )
    assert step.code == 0, step.log
    assert step.digests["release"] == served_digest(work.image, "a") == served_digest(f"{work.image}-other", "b")
    assert step.digests["1"] == tar_digest(work.folder / "oci.tar")
    assert step.digests["2"] == tar_digest(work.folder / "docker.tar")
    assert set(step.digests) == {"release", "1", "2", "3"}


def test_two_platforms_with_provenance_are_whole_in_their_tar(work: Workplace) -> None:
    outputs = lines(f"type=image,name={work.image}:a,push=true", "type=oci,dest=oci.tar")
    step = work.step(outputs=outputs, platforms="linux/amd64,linux/arm64", provenance="mode=max", verify="true")
    assert step.code == 0, step.log
    assert step.digests == {"0": served_digest(work.image, "a"), "1": tar_digest(work.folder / "oci.tar")}


@pytest.mark.parametrize(
    ("method", "answer", "said"),
    [
        ("GET|HEAD", 404, "not found"),
        ("GET|HEAD", "tamper", "the registry serves sha256:"),
        # A push asks by HEAD what is there already.
        ("GET", 403, "403 Forbidden"),
    ],
)
def test_a_registry_that_does_not_serve_it_fails_the_step_and_the_digest_is_held_back(
    work: Workplace, method: str, answer: int, said: str
) -> None:
    with registry_proxy(work.registry) as proxy:
        image = f"{proxy.address}/{work.name}"
        proxy.faults = [Fault(method, "/manifests/sha256:", answer)]
        step = work.step(
            outputs=lines(f"type=image,name={image}:a,push=true,id=release", "type=oci,dest=oci.tar,id=tar"),
            verify="true",
        )
    assert step.code == 1
    (error,) = _errors(step.log)
    served = served_digest(work.image, "a")
    assert error.startswith(f"::error::exporter release (image) is not verified: the build record says {served}, but ")
    assert said in error
    assert step.digests == {"tar": tar_digest(work.folder / "oci.tar")}
    assert served not in step.outputs["exporters"]
    assert "digest" not in step.outputs
    assert json.loads(step.outputs["refs"]) == []
    assert served not in Path(step.outputs["results"]).read_text()


def test_without_it_nothing_is_asked(work: Workplace) -> None:
    with registry_proxy(work.registry) as proxy:
        proxy.faults = [Fault("GET", "/manifests/sha256:", 404)]
        step = work.step(push="true", tags=f"{proxy.address}/{work.name}:a")
    assert step.code == 0, step.log
    assert step.digests == {"0": served_digest(work.image, "a")}


@pytest.mark.parametrize("name", ["oci", "docker"])
def test_a_tar_with_a_byte_changed_after_the_build_fails_the_step(work: Workplace, name: str) -> None:
    spoil = "import sys; p = sys.argv[1]; d = open(p, 'rb').read(); d = d.replace(b'hello.txt', b'hallo.txt'); "
    # A layer that is compressed would hide the name.
    output = f"type={name},dest=a.tar,compression=uncompressed,force-compression=true,id=tar"
    fake_docker(
        work, f'"$REAL" "$@"; c=$?; [ "$2" = build ] && python3 -c "{spoil}open(p, \'wb\').write(d)" a.tar; exit $c'
    )
    step = work.step(outputs=lines(output, f"type=image,name={work.image}:a,push=true"), verify="true")
    assert step.code == 1
    (error,) = _errors(step.log)
    assert error.startswith(f"::error::exporter tar ({name}) is not verified: the build record says sha256:")
    assert "a.tar: the blob sha256:" in error
    assert "has the bytes of sha256:" in error
    assert step.digests == {"1": served_digest(work.image, "a")}


def test_a_push_whose_digest_nobody_knows_is_not_verified(work: Workplace) -> None:
    fake_docker(work, f'{ASKS_FOR_RECORD} && exit 1; exec "$REAL" "$@"')
    outputs = lines(f"type=image,name={work.image}:a,push=true,id=release", "type=oci,dest=a.tar")
    step = work.step(outputs=outputs, verify="true")
    assert step.code == 1
    assert "::error::exporter release (image) is not verified: it has no digest that could be verified" in step.log
    assert step.digests == {"1": tar_digest(work.folder / "a.tar")}


def test_a_registry_is_asked_with_the_credentials_of_a_helper(work: Workplace) -> None:
    with registry_proxy(work.registry) as proxy:
        proxy.authorization = "Basic " + base64.b64encode(b"octo:hunter2hunter2").decode()
        helper, asked = work.folder / "bin" / "docker-credential-of-this-test", work.folder / "asked"
        helper.parent.mkdir()
        answer = {"ServerURL": proxy.address, "Username": "octo", "Secret": "hunter2hunter2"}
        helper.write_text(f"#!/bin/sh\ncat >> {asked}\necho '{json.dumps(answer)}'\n")
        helper.chmod(0o755)
        own = Path(work.environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
        config = work.folder / "config"
        shutil.copytree(own, config, symlinks=True)
        known = json.loads((own / "config.json").read_text()) if (own / "config.json").exists() else {}
        helpers = {**known.get("credHelpers", {}), proxy.address: "of-this-test"}
        (config / "config.json").write_text(json.dumps({**known, "credHelpers": helpers}))
        path = f"{helper.parent}:{work.environment['PATH']}"
        work.environment = {**work.environment, "DOCKER_CONFIG": str(config), "PATH": path}
        step = work.step(push="true", tags=f"{proxy.address}/{work.name}:a", verify="true")
        assert step.code == 0, step.log
        assert ("GET", f"/v2/{work.name}/manifests/{step.outputs['digest']}") in proxy.requests
    assert step.outputs["digest"] == served_digest(work.image, "a")
    assert proxy.address in asked.read_text()
    assert "hunter2hunter2" not in step.log


def test_each_target_of_a_bake_is_verified(work: Workplace) -> None:
    with registry_proxy(work.registry) as proxy:
        proxy.faults = [Fault("GET|HEAD", "-web/manifests/sha256:", 404)]
        targets = {
            name: {"output": [f"type=image,name={proxy.address}/{work.name}-{name}:1,push=true"]}
            for name in ("web", "api")
        }
        (work.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
        step = work.bake_step(source=".", targets="web,api", verify="true")
    assert step.code == 1
    (error,) = _errors(step.log)
    assert error.startswith("::error::target web: exporter 0 (image) is not verified: the metadata file says sha256:")
    expected = {"web": {}, "api": {"0": served_digest(f"{work.image}-api", "1")}}
    assert json.loads(step.outputs["digests"]) == expected


def test_the_command_line_verifies_too(work: Workplace) -> None:
    arguments = ("--output", "type=oci,dest=a.tar", ".")
    done = work.python("-m", "action", "build", "--verify", "--format", "json", "--", *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digest"] == tar_digest(work.folder / "a.tar")
