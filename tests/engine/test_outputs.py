"""Real builds with every kind of output; the expected digests come from the registry, the tars and the engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.conftest import Workplace, lines, push_and_load
from tests.engine.other_end import image_manifests, served, served_digest, tar_config, tar_digest


def test_three_outputs_get_the_digests_of_the_registry_and_of_each_tar(work: Workplace) -> None:
    step = work.step(
        outputs=lines(
            f"type=image,name={work.image}:a,push=true,id=release",
            "type=oci,dest=oci.tar",
            "type=docker,dest=docker.tar",
        ),
    )
    assert step.code == 0, step.log
    assert step.digests == {
        "release": served_digest(work.image, "a"),
        "1": tar_digest(work.folder / "oci.tar"),
        "2": tar_digest(work.folder / "docker.tar"),
    }
    assert len(set(step.digests.values())) == 3
    assert step.outputs["digest"] == served_digest(work.image, "a")
    assert [each["evidence"] for each in step.exporters] == ["record"] * 3
    assert step.imageids["1"] == tar_config(work.folder / "oci.tar")


def test_the_peer_would_have_handed_on_a_digest_that_the_registry_does_not_have(work: Workplace) -> None:
    step = work.step(outputs=lines(f"type=image,name={work.image}:a,push=true", "type=docker,dest=docker.tar"))
    merged = json.loads(step.outputs["metadata"])["containerimage.digest"]
    assert merged == tar_digest(work.folder / "docker.tar")
    assert step.outputs["digest"] == served_digest(work.image, "a") != merged


def test_two_images_that_differ_only_in_media_types_are_not_mixed_up_among_five_outputs(work: Workplace) -> None:
    step = work.step(
        outputs=lines(
            f"type=image,name={work.image}:docker,push=true,oci-mediatypes=false,id=docker-types",
            "type=local,dest=out",
            f"type=image,name={work.image}:oci,push=true,oci-mediatypes=true",
            "type=oci,dest=oci.tar,id=archive",
            "type=tar,dest=files.tar",
        ),
        provenance="false",
    )
    assert step.code == 0, step.log
    assert step.digests == {
        "docker-types": served_digest(work.image, "docker"),
        "2": served_digest(work.image, "oci"),
        "archive": tar_digest(work.folder / "oci.tar"),
    }
    assert step.digests["docker-types"] != step.digests["2"]
    assert [each["key"] for each in step.exporters] == ["docker-types", "1", "2", "archive", "4"]
    assert "warning" not in step.log.replace("0 warnings", "")


def test_a_cacheonly_output_in_front_shifts_no_digest(work: Workplace) -> None:
    step = work.step(
        outputs=lines(
            "type=cacheonly",
            f"type=image,name={work.image}:a,push=true",
            "type=docker,dest=docker.tar",
        ),
    )
    assert step.code == 0, step.log
    assert step.digests == {"1": served_digest(work.image, "a"), "2": tar_digest(work.folder / "docker.tar")}


def test_push_with_tags_gives_the_digest_that_every_tag_serves(work: Workplace) -> None:
    # buildx passes a tag that is given twice to BuildKit twice.
    step = work.step(push="true", tags=f"{work.image}:1,{work.image}:latest,{work.image}:1")
    assert step.code == 0, step.log
    assert step.digests == {"0": served_digest(work.image, "1")} == {"0": served_digest(work.image, "latest")}
    assert step.outputs["digest"] == served_digest(work.image, "1")
    assert step.exporters[0]["names"] == [f"{work.image}:1", f"{work.image}:latest"]
    assert step.exporters[0]["push"] is True


def test_load_with_a_tag_gives_the_digest_of_the_image_in_the_engine(work: Workplace) -> None:
    step = work.step(load="true", tags=f"{work.name}:loaded")
    assert step.code == 0, step.log
    image = json.loads(work.docker("image", "inspect", f"{work.name}:loaded"))[0]
    assert step.digests == {"0": image["Descriptor"]["digest"]}
    assert step.outputs["imageid"] == image["Id"]


def test_push_and_load_together_give_each_its_own(work: Workplace) -> None:
    step = push_and_load(work, f"{work.image}:both")
    assert step.code == 0, step.log
    image = json.loads(work.docker("image", "inspect", f"{work.image}:both"))[0]
    pushed = served_digest(work.image, "both")
    assert step.digests["0"] == pushed
    assert set(step.digests.values()) <= {pushed, image["Descriptor"]["digest"]}


def test_push_with_outputs_keeps_the_users_list_first(work: Workplace) -> None:
    step = work.step(
        push="true", tags=f"{work.image}:p", outputs="type=oci,dest=oci.tar,id=archive", provenance="false"
    )
    assert step.code == 0, step.log
    assert step.digests == {"archive": tar_digest(work.folder / "oci.tar"), "1": served_digest(work.image, "p")}


def test_load_beside_a_docker_tar_mixes_nothing_up(work: Workplace) -> None:
    step = work.step(load="true", tags=f"{work.name}:l", outputs="type=docker,dest=docker.tar")
    assert step.code == 0, step.log
    assert step.digests["0"] == tar_digest(work.folder / "docker.tar")


def test_two_platforms_give_the_index_and_each_platform(work: Workplace) -> None:
    step = work.step(
        platforms="linux/amd64,linux/arm64",
        outputs=lines(f"type=image,name={work.image}:multi,push=true", "type=oci,dest=oci.tar"),
    )
    assert step.code == 0, step.log
    digest, index = served(work.image, "multi")
    assert step.digests == {"0": digest, "1": tar_digest(work.folder / "oci.tar")}
    expected = {
        "/".join((e["platform"]["os"], e["platform"]["architecture"])): e["digest"] for e in image_manifests(index)
    }
    assert {each["platform"]: each["digest"] for each in step.exporters[0]["platforms"]} == expected
    assert set(expected) == {"linux/amd64", "linux/arm64"}
    assert step.imageids["0"] == digest


def test_no_output_on_the_docker_driver_gives_the_default_image(work: Workplace) -> None:
    step = work.step(tags=f"{work.name}:plain", provenance="false")
    assert step.code == 0, step.log
    image = json.loads(work.docker("image", "inspect", f"{work.name}:plain"))[0]
    assert step.digests == {"0": image["Descriptor"]["digest"]}
    assert step.exporters[0]["type"] == "image"
    assert step.exporters[0]["names"] == [f"docker.io/library/{work.name}:plain"]


def test_local_and_tar_outputs_have_no_digest_and_no_warning(work: Workplace) -> None:
    step = work.step(outputs=lines("type=local,dest=out", "type=tar,dest=files.tar"), require_digests="true")
    assert step.code == 0, step.log
    assert step.digests == {}
    assert "digest" not in step.outputs
    assert [(each["type"], each["dest"], each["digest"]) for each in step.exporters] == [
        ("local", "out", None),
        ("tar", "files.tar", None),
    ]
    assert "::warning" not in step.log
    assert (work.folder / "out/hello.txt").exists()


def test_a_folder_as_an_output_is_a_local_one(work: Workplace) -> None:
    step = work.step(outputs="out")
    assert [(each["type"], each["dest"]) for each in step.exporters] == [("local", "out")]
    assert (work.folder / "out/hello.txt").exists()


def test_an_oci_folder_gets_the_digest_of_what_was_put_there_and_a_warning_where_its_index_lies(
    work: Workplace,
) -> None:
    step = work.step(outputs=lines("type=oci,dest=layout,tar=false", f"type=image,name={work.image},push=true"))
    assert step.code == 0, step.log
    index = json.loads((work.folder / "layout/index.json").read_text())
    (named,) = [entry["digest"] for entry in index["manifests"]]
    assert step.digests["1"] == served_digest(work.image) == named
    blobs = {f"sha256:{path.name}" for path in (work.folder / "layout/blobs/sha256").iterdir()}
    assert named not in blobs
    assert step.digests["0"] in blobs
    assert "::warning::layout/index.json names" in step.log


def test_only_cacheonly_exports_nothing(work: Workplace) -> None:
    step = work.step(outputs="type=cacheonly")
    assert step.code == 0, step.log
    assert step.digests == {}
    assert step.exporters == []


def test_several_names_of_one_image_share_its_digest(work: Workplace) -> None:
    step = work.step(outputs=f'type=image,"name={work.image}:x,{work.image}:y",push=true,id=two')
    assert step.digests == {"two": served_digest(work.image, "x")} == {"two": served_digest(work.image, "y")}
    assert step.exporters[0]["names"] == [f"{work.image}:x", f"{work.image}:y"]


def test_a_push_by_digest_is_refused_by_the_docker_driver_in_buildx_words(work: Workplace) -> None:
    step = work.step(outputs=f"type=image,name={work.image},push=true,push-by-digest=true")
    assert step.code == 1
    assert "::error::buildx failed with: ERROR: " in step.log
    assert "push-by-digest" in step.log


@pytest.mark.parametrize("dest", ["my image.tar", "täg.tar", "a'b.tar"])
def test_a_path_with_odd_characters_is_read_back(work: Workplace, dest: str) -> None:
    step = work.step(outputs=lines(f"type=oci,dest={dest},id=odd", f"type=image,name={work.image},push=true"))
    assert step.digests["odd"] == tar_digest(work.folder / dest)


def test_files_for_later_steps_lie_in_the_runners_temporary_folder_and_nothing_else_stays_there(
    work: Workplace,
) -> None:
    step = work.step(outputs=lines("type=oci,dest=a.tar", f"type=image,name={work.image},push=true"))
    results, checksums = Path(step.outputs["results"]), Path(step.outputs["checksums"])
    assert json.loads(results.read_text())["exporters"] == step.exporters
    temporary = Path(work.environment["RUNNER_TEMP"])
    assert {path for path in temporary.rglob("*") if path.is_file()} == {results, checksums}


def test_an_image_without_layers_has_its_digests_too(work: Workplace) -> None:
    # BuildKit writes "layers": null.
    (work.folder / "Dockerfile").write_text('FROM scratch\nLABEL name="nothing"\n')
    step = work.step(
        outputs=lines(f"type=image,name={work.image}:1,push=true", "type=oci,dest=oci.tar", "type=docker,dest=d.tar"),
        require_digests="true",
        verify="true",
    )
    assert step.code == 0, step.log
    assert step.digests == {
        "0": served_digest(work.image, "1"),
        "1": tar_digest(work.folder / "oci.tar"),
        "2": tar_digest(work.folder / "d.tar"),
    }
