"""Docker's classic image store: the record holds an image ID and no manifest digest."""

from __future__ import annotations

import json

from tests.engine.conftest import Workplace, lines
from tests.engine.other_end import served, served_digest


def test_a_push_gives_the_registrys_digest_and_the_engines_image_id(classic: Workplace) -> None:
    step = classic.step(push="true", tags=f"{classic.image}:c", provenance="false")
    assert step.code == 0, step.log
    digest, manifest = served(classic.image, "c")
    assert step.digests == {"0": digest}
    assert step.outputs["imageid"] == manifest["config"]["digest"]
    image = json.loads(classic.docker("image", "inspect", f"{classic.image}:c"))[0]
    assert step.outputs["imageid"] == image["Id"]


def test_a_push_beside_files_gives_the_registrys_digest(classic: Workplace) -> None:
    step = classic.step(
        outputs=lines("type=local,dest=out", f"type=image,name={classic.image}:c,push=true,id=release"),
        provenance="false",
    )
    assert step.code == 0, step.log
    assert step.digests == {"release": served_digest(classic.image, "c")}


def test_an_image_that_stays_in_the_engine_has_an_image_id_and_no_digest(classic: Workplace) -> None:
    step = classic.step(load="true", tags=f"{classic.name}:c")
    assert step.code == 0, step.log
    image = json.loads(classic.docker("image", "inspect", f"{classic.name}:c"))[0]
    assert step.digests == {}
    assert "digest" not in step.outputs
    assert step.imageids == {"0": image["Id"]}
    assert step.outputs["imageid"] == image["Id"]
    assert "::warning::exporter 0 has no digest: the engine's image store gives an image ID and no digest" in step.log


def test_no_output_has_an_image_id_and_no_digest(classic: Workplace) -> None:
    step = classic.step(provenance="false")
    assert step.code == 0, step.log
    assert step.digests == {}
    assert set(step.imageids) == {"0"}


def test_a_required_digest_that_this_store_does_not_give_fails_the_step(classic: Workplace) -> None:
    step = classic.step(load="true", tags=f"{classic.name}:c", require_digests="true")
    assert step.code == 1
    assert "::error::require-digests is set, and these exporters have no digest: 0" in step.log
    assert step.imageids


def test_an_oci_output_is_refused_with_what_to_do(classic: Workplace) -> None:
    step = classic.step(outputs="type=oci,dest=oci.tar", provenance="false")
    assert step.code == 1
    assert (
        "::error::the docker driver with this image store cannot make this output: use a builder of another" in step.log
    )
    assert "OCI exporter is not supported for the docker driver" in step.log


def test_default_inputs_build_as_with_the_peer(classic: Workplace) -> None:
    step = classic.step(push="true", tags=f"{classic.image}:d")
    assert step.code == 0, step.log
    assert step.digests == {"0": served_digest(classic.image, "d")}
    # The first attempt succeeds: on the docker driver nothing is asked for that this store refuses.
    assert step.log.count("[internal] load build definition") == 1
    assert "attestation" not in step.log


def test_an_attestation_that_was_asked_for_is_not_dropped(classic: Workplace) -> None:
    step = classic.step(push="true", tags=f"{classic.image}:e", provenance="true")
    assert step.code == 1
    assert "::error::this builder does not support attestations" in step.log
