"""Annotations of the whole build that override an output's own."""

from __future__ import annotations

import json

from tests.engine.conftest import Workplace, lines
from tests.engine.other_end import served, tar_digest

_OWN = "annotation-manifest.org.example.a=own"


def outputs(work: Workplace) -> tuple[str, ...]:
    return (
        f"type=image,name={work.image}:1,push=true,oci-mediatypes=true,id=release,{_OWN}",
        f"type=oci,dest=a.tar,{_OWN}",
        "type=local,dest=out,annotation.org.example.a=own",
    )


def test_they_cost_no_digest(work: Workplace) -> None:
    step = work.step(
        outputs=lines(*outputs(work)),
        annotations=lines("manifest:org.example.a=all", "org.example.a=other"),
        provenance="false",
        require_digests="true",
    )
    assert step.code == 0, step.log
    digest, manifest = served(work.image, "1")
    assert step.digests == {"release": digest, "1": tar_digest(work.folder / "a.tar")}
    assert manifest["annotations"]["org.example.a"] in {"all", "other"}


def test_nor_in_the_terminal(work: Workplace) -> None:
    done = work.python(
        *("-m", "action", "build", "--format", "json", "--require-digests", "--"),
        *(part for output in outputs(work) for part in ("-o", output)),
        *("--annotation", "manifest[linux/amd64],manifest:org.example.a=all", "--provenance=false", "."),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digest"] == served(work.image, "1")[0]


def test_nor_in_a_bake(work: Workplace) -> None:
    written = ", ".join(f'"{output}"' for output in outputs(work))
    (work.folder / "docker-bake.hcl").write_text(
        f'target "default" {{\n output = [{written}]\n annotations = ["manifest:org.example.a=all"]\n }}'
    )
    step = work.bake_step(source=".", require_digests="true", provenance="false")
    assert step.code == 0, step.log
    assert json.loads(step.outputs["digests"])["default"]["release"] == served(work.image, "1")[0]


def test_attributes_that_buildx_sets_itself_cost_no_digest_either(work: Workplace) -> None:
    step = work.step(
        outputs=lines(
            f"type=image,name={work.image}:1,push=true,unpack=false,prefer-image-digest=false,buildinfo-attrs=false",
            "type=oci,dest=a.tar,buildinfo-attrs=false",
        ),
        build_args="BUILDKIT_INLINE_BUILDINFO_ATTRS=true",
        require_digests="true",
    )
    assert step.code == 0, step.log
    assert step.digests == {"0": served(work.image, "1")[0], "1": tar_digest(work.folder / "a.tar")}
