"""`build-digests build` and `inspect` on a real engine: data on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.conftest import ROOT, Workplace
from tests.engine.other_end import served_digest, tar_digest
from tests.installed import installed, wheel, wheel_metadata

__all__ = ["installed", "wheel", "wheel_metadata"]


def test_the_table_has_each_digest_on_a_line_of_its_own(work: Workplace) -> None:
    done = work.python(
        *("-m", "action", "build", "--"),
        *("--output", f"type=image,name={work.image}:t,push=true,id=release"),
        *("-o", "type=oci,dest=oci.tar", "-otype=local,dest=out", "."),
    )
    assert done.returncode == 0, done.stderr
    header, _, *rows = [line.split() for line in done.stdout.splitlines()]
    assert header == ["KEY", "TYPE", "NAME", "OR", "DEST", "DIGEST", "SIZE", "EVIDENCE"]
    # A size is a number and a unit.
    assert [[*row[:4], row[-1]] for row in rows] == [
        ["release", "image", f"{work.image}:t", served_digest(work.image, "t"), "record"],
        ["1", "oci", "oci.tar", tar_digest(work.folder / "oci.tar"), "record"],
        ["2", "local", "out", "-", "-"],
    ]
    assert "exporting to image" in done.stderr


def test_the_command_that_pip_installs_needs_no_extra_for_any_digest(
    work: Workplace, installed: tuple[Path, Path]
) -> None:
    """The extra `github` is for steps on GitHub: a person in a terminal has only what the command itself needs."""
    code = f"import sys; sys.path[:0] = {list(map(str, installed))}; from action.__main__ import main; main()"
    outputs = ("--output", f"type=image,name={work.image}:t,push=true,id=release", "--output", "type=oci,dest=oci.tar")
    for verify in ((), ("--verify",)):
        command = (sys.executable, "-I", "-S", "-c", code, "build", "--format", "json", *verify, "--", *outputs, ".")
        done = subprocess.run(
            command, cwd=work.folder, env=work.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        exporters = json.loads(done.stdout)["exporters"]
        assert {each["key"]: (each["digest"], each["evidence"]) for each in exporters} == {
            "release": (served_digest(work.image, "t"), "record"),
            "1": (tar_digest(work.folder / "oci.tar"), "record"),
        }
        assert "warning:" not in done.stderr


def test_json_and_the_results_file_hold_the_same(work: Workplace) -> None:
    done = work.python(
        *("-m", "action", "build", "--format", "json", "--results", "results.json", "--"),
        *("--push", "-t", f"{work.image}:t", "."),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((work.folder / "results.json").read_text())
    assert json.loads(done.stdout)["digest"] == served_digest(work.image, "t")
    assert work.python("-m", "action", "validate", "results.json").returncode == 0


def test_a_tar_on_standard_output_is_not_mixed_with_the_table(work: Workplace) -> None:
    command = [sys.executable, "-m", "action", "build", "--", "--output", "type=oci,dest=-", "."]
    environment = {**work.environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=work.folder, env=environment, capture_output=True, timeout=120, check=True)
    (work.folder / "out.tar").write_bytes(done.stdout)
    assert tar_digest(work.folder / "out.tar").encode() in done.stderr


def test_in_a_terminal_buildx_draws_its_own_progress(work: Workplace) -> None:
    main, side = pty.openpty()
    command = [sys.executable, "-m", "action", "build", "--", "--output", "type=oci,dest=oci.tar", "."]
    environment = {**work.environment, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "200"}
    with subprocess.Popen(command, cwd=work.folder, env=environment, stdin=side, stdout=side, stderr=side) as process:
        os.close(side)
        seen = bytearray()
        while True:
            try:
                chunk = os.read(main, 65536)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
        assert process.wait(60) == 0, seen
    os.close(main)
    assert b"\x1b[" in seen
    assert b"[+] Building" in seen
    assert tar_digest(work.folder / "oci.tar").encode() in seen


def test_a_metadata_file_that_the_user_names_is_written_there_and_used(work: Workplace) -> None:
    done = work.python(
        *("-m", "action", "build", "--", "--metadata-file=meta.json", "--push", "-t", f"{work.image}:m", ".")
    )
    assert served_digest(work.image, "m") in done.stdout
    assert json.loads((work.folder / "meta.json").read_text())["containerimage.digest"] == served_digest(
        work.image, "m"
    )


def test_inspect_finds_the_same_digests_from_the_files(work: Workplace) -> None:
    outputs = (f"type=image,name={work.image}:i,push=true,id=release", "type=docker,dest=docker.tar")
    far = f"type=registry,ref={work.image}:cache,image-manifest=false,id=far"
    caches = ("--cache-to", far, "--cache-to", "type=local,dest=cache")
    options = [*(part for output in outputs for part in ("--output", output)), *caches]
    built = work.python("-m", "action", "build", "--format", "json", "--", "--metadata-file=m.json", *options, ".")
    assert built.returncode == 0, built.stderr
    ref = json.loads((work.folder / "m.json").read_text())["buildx.build.ref"].split("/")[-1]
    work.docker("buildx", "history", "export", ref, "--output", str(work.folder / "r.dockerbuild"))
    inspected = work.python(
        *("-m", "action", "inspect", "m.json", "--record", "r.dockerbuild", *options, "--format", "json")
    )
    assert inspected.returncode == 0, inspected.stderr
    # Sizes, and the config of each platform of an index, are in manifests, which an exported record does not have.
    found, expected = (json.loads(each.stdout) for each in (inspected, built))
    for exporter in (*found["exporters"], *expected["exporters"]):
        del exporter["size"]
        for platform in exporter["platforms"]:
            del platform["size"], platform["imageid"]
    assert found == expected
    assert json.loads(inspected.stdout)["caches"][0]["digest"] == served_digest(work.image, "cache")
    (work.folder / "docker.tar").unlink()
    without = work.python("-m", "action", "inspect", "m.json", *options, "--format", "json")
    assert [each["digest"] for each in json.loads(without.stdout)["exporters"]] == [None, None]
    assert "warning: exporter release has no digest" in without.stderr
    assert "warning: cache far (registry) has no digest: 2 caches of this build have one, and the rec" in without.stderr
    alone = work.python("-m", "action", "inspect", "r.dockerbuild", *caches)
    assert (alone.returncode, alone.stdout) == (2, "")
    assert "--cache-to: a record alone does not say what a cache wrote; name the build's metadata file" in alone.stderr


def test_inspect_of_records_alone_shows_each_build(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch AS web\nCOPY hello.txt /\n")
    refs = []
    web = ("--target=web", "-o", f"type=image,name={work.image}:r,push=true,id=release")
    for number, options in enumerate((web, ())):
        tar, metadata = work.folder / f"{number}.tar", work.folder / f"m{number}.json"
        outputs = (*options, "-o", f"type=oci,dest={tar}", "--metadata-file", str(metadata))
        work.docker("buildx", "build", *outputs, str(work.folder))
        refs.append(json.loads(metadata.read_text())["buildx.build.ref"].split("/")[-1])
    work.docker("buildx", "history", "export", *refs, "--output", str(work.folder / "two.dockerbuild"))
    inspected = work.python("-m", "action", "inspect", "two.dockerbuild", "--format", "json")
    targets = json.loads(inspected.stdout)["targets"]
    assert {ref: [each["digest"] for each in targets[ref]["exporters"]] for ref in refs} == {
        refs[0]: [served_digest(work.image, "r"), tar_digest(work.folder / "0.tar")],
        refs[1]: [tar_digest(work.folder / "1.tar")],
    }
    assert [targets[ref]["record"]["target"] for ref in refs] == ["web", None]
    assert [targets[ref]["record"]["state"] for ref in refs] == ["completed", "completed"]
    assert inspected.stderr == ""


def test_a_failed_build_is_exit_code_1_and_no_traceback(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY missing /\n")
    done = work.python("-m", "action", "build", "--", ".")
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.search(r"^error: buildx failed with: ERROR: ", done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr


def test_bad_usage_is_exit_code_2(work: Workplace) -> None:
    for arguments in (["build"], ["build", "--", "--output", "dest=x", "."], ["bild"], ["build", "--", "--output"]):
        done = work.python("-m", "action", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert "Traceback" not in done.stderr


def test_call_writes_its_result_and_no_table(work: Workplace) -> None:
    done = work.python("-m", "action", "build", "--", "--call=targets", ".")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("TARGET")
    assert "DIGEST" not in done.stdout + done.stderr.replace("digest", "")


def test_a_metadata_file_that_an_earlier_build_wrote_says_nothing_of_this_one(work: Workplace) -> None:
    first = work.python("-m", "action", "build", "--", "--metadata-file=m.json", "-o", "type=oci,dest=a.tar", ".")
    assert first.returncode == 0, first.stderr
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY missing /\n")
    second = work.python(
        *(
            "-m",
            "action",
            "build",
            "--results",
            "r.json",
            "--",
            "--metadata-file=m.json",
            "-o",
            "type=oci,dest=a.tar",
            ".",
        )
    )
    assert second.returncode == 1
    assert not (work.folder / "r.json").exists()


def test_a_buildx_that_writes_no_metadata_file_gets_no_digest_from_an_old_one(work: Workplace) -> None:
    push = ("--metadata-file=m.json", "--push", "-t", f"{work.image}:x", ".")
    assert work.python("-m", "action", "build", "--", *push).returncode == 0
    fake = work.folder / "fake"
    fake.mkdir()
    (fake / "docker").write_text("#!/bin/sh\nexit 0\n")
    (fake / "docker").chmod(0o755)
    work.environment = {**work.environment, "PATH": f"{fake}:{work.environment['PATH']}"}
    done = work.python("-m", "action", "build", "--format", "json", "--", *push)
    assert done.returncode == 1
    assert "m.json: at the top: expected the metadata of this build, but buildx wrote none" in done.stderr
    assert "sha256:" not in done.stdout


@pytest.mark.parametrize("name", ["build", "bake"])
def test_help_after_the_dashes_is_that_of_buildx(work: Workplace, name: str) -> None:
    done = work.python("-m", "action", name, "--", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == work.docker("buildx", name, "--help")
    assert "--metadata-file" in done.stdout
