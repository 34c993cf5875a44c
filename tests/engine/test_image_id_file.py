"""`build-digests build -- --iidfile`: the ID of the image in the engine, else that of the first image."""

from __future__ import annotations

import subprocess

import pytest

from tests.engine.conftest import ASKS_FOR_RECORD, Workplace, fake_docker
from tests.engine.other_end import tar_config


def build(work: Workplace, *arguments: str, verify: bool = False) -> subprocess.CompletedProcess[str]:
    return work.python("-m", "action", "build", *(["--verify"] if verify else []), "--", *arguments, ".")


def inspected(work: Workplace, name: str) -> str:
    return work.docker("image", "inspect", "--format", "{{.Id}}", name)


@pytest.mark.parametrize("option", [("--iidfile", "iid"), ("--iidfile=iid",), ("--iidfile=other", "--iidfile=iid")])
def test_it_is_the_loaded_images_and_not_the_last_exporters(work: Workplace, option: tuple[str, ...]) -> None:
    outputs = ("-o", "type=oci,dest=a.tar", "-o", f"type=docker,name={work.name}:1", "-o", "type=docker,dest=b.tar")
    done = build(work, *option, *outputs, "--provenance=false")
    assert done.returncode == 0, done.stderr
    assert (work.folder / "iid").read_text() == inspected(work, f"{work.name}:1")
    assert (work.folder / "iid").read_text() != tar_config(work.folder / "b.tar")


def test_load_beside_a_pushed_image_and_a_tar_is_the_loaded_one(work: Workplace) -> None:
    # Names of their own, so that the engine need not give one name to two images at once.
    output = f"type=image,name={work.image}:p,push=true,oci-mediatypes=true,store=false"
    done = build(work, "--iidfile", "iid", "-o", "type=oci,dest=a.tar", "-o", output, "--load", "--provenance=false")
    assert done.returncode == 0, done.stderr
    imageid = (work.folder / "iid").read_text()
    assert work.docker("image", "inspect", "--format", "{{.Id}}", imageid) == imageid
    assert imageid != tar_config(work.folder / "a.tar")


def test_without_an_image_in_the_engine_it_is_the_first_images(work: Workplace) -> None:
    outputs = (
        "-o",
        "type=oci,dest=a.tar",
        "-o",
        "type=docker,dest=b.tar",
        "-o",
        "type=oci,dest=c.tar,compression=zstd",
    )
    done = build(work, "--iidfile=iid", *outputs, "--build-arg", "A=b", "--provenance=false")
    assert done.returncode == 0, done.stderr
    assert (work.folder / "iid").read_text() == tar_config(work.folder / "a.tar")


def test_one_output_has_the_id_that_the_engine_finds(work: Workplace) -> None:
    done = build(work, "--iidfile=iid", "--push", "-t", f"{work.image}:1", "--provenance=false")
    assert done.returncode == 0, done.stderr
    assert (work.folder / "iid").read_text() == inspected(work, f"{work.image}:1")


def test_an_id_that_is_not_known_is_in_no_file(work: Workplace) -> None:
    fake_docker(work, f'{ASKS_FOR_RECORD} && exit 1\nexec "$REAL" "$@"')
    done = build(work, "--iidfile=iid", "-o", f"type=image,name={work.image}:1", "-o", "type=docker,dest=b.tar")
    assert done.returncode == 0, done.stderr
    assert not (work.folder / "iid").exists()
    assert "warning: --iidfile: iid is removed, because the image ID that belongs in it is not known" in done.stderr


def test_a_digest_that_is_not_verified_leaves_no_id(work: Workplace) -> None:
    fake_docker(work, '[[ " $* " == *" imagetools "* ]] && exit 1\nexec "$REAL" "$@"')
    done = build(work, "--iidfile=iid", "--push", "-t", f"{work.image}:1", verify=True)
    assert done.returncode == 1
    assert not (work.folder / "iid").exists()


def test_where_buildx_refuses_or_the_build_fails_nothing_is_touched(work: Workplace) -> None:
    (work.folder / "iid").write_text("earlier")
    done = build(work, "--iidfile=iid", "-o", "type=local,dest=out")
    assert done.returncode == 1
    assert "local and tar exporters are incompatible with image ID file" in done.stderr
    assert (work.folder / "iid").read_text() == "earlier"
    (work.folder / "full").mkdir()
    (work.folder / "full/file").touch()
    assert build(work, "--iidfile=full", "-o", "type=oci,dest=a.tar").returncode == 1
    assert (work.folder / "full/file").exists()


@pytest.mark.parametrize("arguments", [("--call=outline",), ("-o", "type=cacheonly")])
def test_without_an_image_the_file_is_as_buildx_wrote_it(work: Workplace, arguments: tuple[str, ...]) -> None:
    bare = ("buildx", "build", f"--iidfile={work.folder}/bare", *arguments, str(work.folder))
    work.docker(*bare)
    done = build(work, "--iidfile=iid", *arguments)
    assert done.returncode == 0, done.stderr
    assert (work.folder / "iid").read_bytes() == (work.folder / "bare").read_bytes()
