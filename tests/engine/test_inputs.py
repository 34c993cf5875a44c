"""Inputs of the build action, each with a real value whose effect is looked at where it ends up.

The check in tests/input_coverage.py names what has no test. Many inputs have theirs in other files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import Step, Workplace, lines
from tests.engine.git_server import git_server
from tests.engine.other_end import image_manifests, served, served_blob, served_digest
from tests.input_coverage import cannot_use

_RANDOM = json.dumps(["/bin/busybox", "cp", "/proc/sys/kernel/random/uuid", "/random"])


def _built(step: Step) -> Step:
    assert step.code == 0, step.log
    return step


def _dockerfile(work: Workplace, *instructions: str) -> None:
    (work.folder / "Dockerfile").write_text("\n".join((*instructions, "")))


@pytest.mark.usefixtures("busybox")
def test_allow_lets_a_run_have_the_hosts_network(work: Workplace) -> None:
    program = json.dumps(["/bin/busybox", "sh", "-c", "/bin/busybox cat /proc/net/dev > /seen"])
    _dockerfile(work, "FROM scratch", "COPY busybox /bin/busybox", f"RUN --network=host {program}")
    refused = work.step(outputs="out")
    assert refused.code == 1
    assert "network.host" in refused.log
    _built(work.step(outputs="out", allow="network.host"))
    assert "lo:" in (work.folder / "out/seen").read_text()


def test_labels_annotations_tags_and_build_arguments_are_in_the_image(work: Workplace) -> None:
    _dockerfile(work, "FROM scratch", "ARG ONE", "ARG TWO", "COPY hello.txt /", 'LABEL args="$ONE $TWO"')
    step = _built(
        work.step(
            push="true",
            tags=lines(f"{work.image}:1", f"{work.image}:2"),
            labels='"org.example.text=two\nlines, and a comma"',
            annotations=lines("org.example.plain=a", "index:org.example.index=b", "manifest:org.example.manifest=c"),
            build_args=lines("ONE=1 =", "TWO=2"),
            provenance="mode=min",
            sbom="false",
        )
    )
    digest, index = served(work.image, "1")
    assert step.digests == {"0": digest}
    assert served_digest(work.image, "2") == digest
    (entry,) = image_manifests(index)
    _, manifest = served(work.image, entry["digest"])
    assert index["annotations"] == {"org.example.index": "b"}
    assert manifest["annotations"] == {"org.example.manifest": "c", "org.example.plain": "a"}
    config = json.loads(served_blob(work.image, manifest["config"]["digest"]))
    assert config["config"]["Labels"] == {"args": "1 = 2", "org.example.text": "two\nlines, and a comma"}


def test_an_attestation_has_the_attributes_that_attests_gives_it(work: Workplace) -> None:
    inputs = {"attests": "type=provenance,mode=max,builder-id=https://example.org/builder"}
    step = _built(work.step(push="true", tags=f"{work.image}:1", **inputs))
    digest, index = served(work.image, "1")
    assert step.digests == {"0": digest}
    (entry,) = [each for each in index["manifests"] if each["platform"]["os"] == "unknown"]
    (layer,) = served(work.image, entry["digest"])[1]["layers"]
    statement = json.loads(served_blob(work.image, layer["digest"]))
    assert "https://example.org/builder" in json.dumps(statement["predicate"])
    # The steps of the build are there with mode=max alone.
    assert "buildConfig" in json.dumps(statement)


@pytest.mark.usefixtures("busybox")
def test_named_contexts_are_a_folder_an_oci_layout_and_a_git_repository(
    work: Workplace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (work.folder / "folder").mkdir()
    (work.folder / "folder" / "a").write_text("folder")
    digest = _built(work.step(outputs="type=oci,dest=layout,tar=false,oci-mediatypes=true")).digests["0"]
    with git_server(tmp_path_factory.mktemp("git"), {"a": "git"}) as git:
        _dockerfile(
            work,
            "FROM layout",
            "COPY --from=folder a /folder",
            "COPY --from=git a /git",
        )
        contexts = lines(
            "folder=folder",
            f"layout=oci-layout://layout@{digest}",
            f"git={git.url}/{git.repository}.git#main",
        )
        _built(work.step(outputs="out", build_contexts=contexts))
    seen = {each.name: each.read_text() for each in (work.folder / "out").iterdir() if each.name != "provenance.json"}
    assert seen == {"folder": "folder", "git": "git", "hello.txt": (work.folder / "hello.txt").read_text()}


def test_a_context_is_a_git_repository_and_a_folder_of_it(
    work: Workplace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    inner = "FROM scratch\nCOPY a /\n"
    files = {"Dockerfile": "FROM scratch\nCOPY sub/a /whole\n", "sub/Dockerfile": inner, "sub/a": "git"}
    with git_server(tmp_path_factory.mktemp("git"), files) as git:
        context = f"{git.url}/{git.repository}.git#main:sub"
        step = _built(work.step(context=context, push="true", tags=f"{work.image}:1"))
        work.environment = {**work.environment, **git.environment}
        _built(work.step(context="{{defaultContext}}", outputs="out"))
    assert (work.folder / "out/whole").read_text() == "git"
    assert step.digests == {"0": served_digest(work.image, "1")}
    assert git.requests


def test_several_caches_are_read(work: Workplace) -> None:
    caches = (f"type=registry,ref={work.image}:cache", "type=local,dest=cache")
    _built(work.step(outputs="type=cacheonly", cache_to=lines(*caches)))
    sources = (f"type=registry,ref={work.image}:cache", "type=local,src=cache")
    step = _built(work.step(outputs="type=cacheonly", cache_from=lines(*sources)))
    assert f"importing cache manifest from {work.image}:cache" in step.log
    assert "importing cache manifest from local:" in step.log
    assert "CACHED" in step.log


def test_file_and_target_choose_the_stage(work: Workplace) -> None:
    (work.folder / "other.Dockerfile").write_text(
        "FROM scratch AS one\nCOPY hello.txt /one\nFROM scratch AS two\nCOPY hello.txt /two\n"
    )
    _built(work.step(file="other.Dockerfile", target="one", outputs="type=tar,dest=out.tar"))
    with tarfile.open(work.folder / "out.tar") as tar:
        assert "one" in tar.getnames()
        assert "two" not in tar.getnames()


@pytest.mark.usefixtures("busybox")
def test_no_cache_and_no_cache_filters_build_anew_what_is_in_the_cache(work: Workplace) -> None:
    _dockerfile(
        work,
        "FROM scratch AS ran",
        "COPY busybox /bin/busybox",
        f"RUN {_RANDOM}",
        "FROM scratch",
        "COPY --from=ran /random /",
    )
    for name, no_cache in (("first", "false"), ("second", "false"), ("third", "true")):
        _built(work.step(outputs=name, network="none", no_cache=no_cache))
    _built(work.step(outputs="fourth", network="none", no_cache_filters="ran,other"))
    names = ("first", "second", "third", "fourth")
    first, second, third, fourth = ((work.folder / name / "random").read_text() for name in names)
    assert first == second
    assert len({second, third, fourth}) == 3


def test_pull_looks_for_a_newer_base_image(work: Workplace) -> None:
    base = f"{work.image}:base"
    (work.folder / "hello.txt").write_text("new")
    _built(work.step(push="true", tags=base))
    (work.folder / "hello.txt").write_text("old")
    _built(work.step(load="true", tags=base))
    (work.folder / "next.Dockerfile").write_text(f"FROM {base}\n")
    try:
        for name, pull in (("old", "false"), ("new", "true")):
            _built(work.step(file="next.Dockerfile", outputs=name, pull=pull))
            assert (work.folder / name / "hello.txt").read_text() == name
    finally:
        work.docker("image", "rm", "--force", base)


@pytest.mark.parametrize(
    ("call", "said"), [("targets", r"one\s.*\n(?:.*\n)*two \(default\)"), ("outline", r"TARGET:\s+two")]
)
def test_call_asks_the_build_instead(work: Workplace, call: str, said: str) -> None:
    _dockerfile(work, "FROM scratch AS one", "COPY hello.txt /", "FROM scratch AS two", "COPY hello.txt /")
    step = _built(work.step(call=call))
    assert re.search(said, step.log)
    assert step.digests == {}


def test_an_output_on_standard_output_is_a_tar_in_the_log(work: Workplace) -> None:
    step = _built(work.step(outputs="-"))
    assert (work.folder / "hello.txt").read_text() in step.log
    assert step.digests == {}


@pytest.fixture
def ssh_key(
    work: Workplace, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[Path, str]:
    """A key, and its public part; ssh-add is in the folder `ssh` of the workplace, to be run in a build."""
    programs = [shutil.which(name) for name in ("ssh-add", "ssh-agent", "ssh-keygen")]
    if None in programs or shutil.which("ldd") is None:
        cannot_use("build: ssh", "build: ssh: agent", "build: ssh: key or socket")
        pytest.skip("no OpenSSH is here")
    key = tmp_path_factory.mktemp("ssh") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key], check=True, timeout=30)
    add = str(programs[0])
    linked = subprocess.run(["ldd", add], capture_output=True, text=True, check=True, timeout=30).stdout
    for file in (add, *re.findall(r"(/\S+) \(0x", linked)):
        copy = work.folder / "ssh" / file.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    # Its own command: what another test ran would be in the cache.
    program = json.dumps(["/bin/busybox", "sh", "-c", f": {work.name}; {add} -L > /seen"])
    request.getfixturevalue("busybox")
    _dockerfile(
        work,
        *("FROM scratch AS ran", "COPY busybox /bin/busybox", "COPY ssh /"),
        f"RUN --mount=type=ssh,required=true {program}",
        *("FROM scratch", "COPY --from=ran /seen /"),
    )
    return key, key.with_suffix(".pub").read_text().split()[1]


@pytest.fixture
def ssh_agent(work: Workplace, ssh_key: tuple[Path, str]) -> Iterator[None]:
    """An agent that holds the key, in the step's environment."""
    socket = ssh_key[0].with_name("agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30
        while not socket.exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        work.environment = {**work.environment, "SSH_AUTH_SOCK": str(socket)}
        add = ["ssh-add", "-q", str(ssh_key[0])]
        subprocess.run(add, env={**os.environ, "SSH_AUTH_SOCK": str(socket)}, check=True, timeout=30)
        yield
    finally:
        agent.terminate()
        agent.wait()


@pytest.mark.usefixtures("ssh_agent")
def test_ssh_forwards_the_agent(work: Workplace, ssh_key: tuple[Path, str]) -> None:
    _built(work.step(outputs="out", network="none", ssh="default"))
    assert (work.folder / "out/seen").read_text().split()[1] == ssh_key[1]


def test_ssh_forwards_a_key(work: Workplace, ssh_key: tuple[Path, str]) -> None:
    _built(work.step(outputs="out", network="none", ssh=f"default={ssh_key[0]}"))
    assert (work.folder / "out/seen").read_text().split()[1] == ssh_key[1]


def test_ssh_is_in_no_build_that_has_not_asked_for_it(work: Workplace, ssh_key: tuple[Path, str]) -> None:
    assert ssh_key[0].is_file()
    assert work.step(outputs="out", network="none").code == 1
