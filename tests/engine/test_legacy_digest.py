"""`digest` and `imageid`: those of the first exporter that makes an image, or none."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engine.conftest import ASKS_FOR_RECORD, Workplace, fake_docker, lines
from tests.engine.other_end import served_digest, tar_digest


def test_an_unknown_digest_of_the_first_image_is_not_replaced_by_a_tars(work: Workplace) -> None:
    # Without a record the first image's digest cannot be known; the tar says its own.
    fake_docker(work, f'{ASKS_FOR_RECORD} && exit 1\nexec "$REAL" "$@"')
    step = work.step(
        outputs=lines(
            "type=local,dest=out", f"type=image,name={work.image}:1,push=true,id=release", "type=oci,dest=a.tar"
        )
    )
    assert step.code == 0, step.log
    assert step.digests == {"2": tar_digest(work.folder / "a.tar")}
    assert "digest" not in step.outputs
    assert "imageid" not in step.outputs
    assert "the build's `digest` is empty: it is that of exporter release, the first that makes an image" in step.log


def test_a_notice_names_the_pushed_exporter_if_the_first_was_not_pushed(work: Workplace) -> None:
    step = work.step(
        outputs=lines("type=oci,dest=a.tar", "type=cacheonly", f"type=image,name={work.image}:1,push=true,id=release")
    )
    assert step.code == 0, step.log
    assert step.outputs["digest"] == tar_digest(work.folder / "a.tar")
    assert step.digests["release"] == served_digest(work.image, "1")
    (notice,) = [line for line in step.log.splitlines() if line.startswith("::notice::")]
    assert "was not pushed; exporter release was: use the digest under that key in `digests`" in notice


def test_no_notice_if_the_first_image_was_pushed_or_none_was(work: Workplace) -> None:
    first = work.step(outputs=lines(f"type=image,name={work.image}:1,push=true", "type=oci,dest=a.tar"))
    none = work.step(outputs=lines("type=oci,dest=a.tar", f"type=image,name={work.name}:1"))
    assert "::notice::" not in first.log + none.log
    assert first.outputs["digest"] == served_digest(work.image, "1")


def test_the_results_file_has_the_same(work: Workplace) -> None:
    fake_docker(work, f'{ASKS_FOR_RECORD} && exit 1\nexec "$REAL" "$@"')
    step = work.step(outputs=lines(f"type=image,name={work.image}:1,push=true", "type=oci,dest=a.tar"))
    results = json.loads(Path(step.outputs["results"]).read_text())
    assert (results["digest"], results["imageid"]) == (None, None)
