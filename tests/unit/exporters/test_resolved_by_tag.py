"""Classic image store: the merged digest is a registry's answer to a tag, and counts only if it is proved."""

from __future__ import annotations

import pytest

from action.dataclass import replace
from action.exporters.attribution import attribute
from action.exporters.build_evidence import BuildEvidence, resolved_by_tag
from action.exporters.requested import Requested
from action.oci.image import Image
from tests.unit.exporters.test_attribution import flat, recorded
from tests.unit.exporters.test_imageid import MANIFEST, A, B, C, requested, response

_PROVED = frozenset((f"docker.io/library/a@{A}", f"r.io/b@{A}"))
_UNPROVED = "the registry's digest is not proved to be this build's"


def digests(asked: Requested, observed: BuildEvidence) -> dict[str, str | None]:
    return {each.key: each.digest for each in attribute(asked, observed).exporters}


def observed(*images: tuple[str, Image], proved: frozenset[str] = _PROVED) -> BuildEvidence:
    made = recorded(*(("image", {"name": name}) for name, _ in images)) if images else None
    if made is not None:
        made.images.update({place: image for place, (_, image) in enumerate(images)})
    return BuildEvidence(flat(A, C), made, docker=True, resolved_by_tag=True, proved=proved)


def test_buildkit_names_a_descriptor_and_a_registry_does_not() -> None:
    assert resolved_by_tag(response(A, C, None))
    assert not resolved_by_tag(response(A, C, MANIFEST))
    assert not resolved_by_tag(response(A, None, None))
    assert not resolved_by_tag(response(C, C, None))


@pytest.mark.parametrize(
    ("output", "digest"),
    [
        ("type=image,name=a,push=true", A),
        ('type=image,"name=a:1,r.io/b:2",push=true', A),
        ('type=image,"name=a:1,r.io/other:2",push=true', None),
        ("type=image,name=r.io/other,push=true", None),
        ("type=image,push=true", None),
    ],
)
def test_each_repository_that_it_was_pushed_to_must_be_proved(output: str, digest: str | None) -> None:
    attribution = attribute(requested(output), observed())
    (exporter,) = attribution.exporters
    assert (exporter.digest, exporter.imageid) == (digest, C)
    assert all(why.startswith(_UNPROVED) for why in attribution.unknown.values())


def test_a_proof_of_another_digest_is_none() -> None:
    other = observed(proved=frozenset((f"docker.io/library/a@{B}",)))
    assert digests(requested("type=image,name=a,push=true"), other) == {"0": None}


def test_of_several_images_each_pushed_one_that_is_the_same_image_has_it() -> None:
    kept = Image(imageid=C)
    asked = requested("type=image,name=a,push=true", "type=image,name=r.io/b,push=true", "type=image,name=c")
    same = observed(("a", kept), ("r.io/b", kept), ("c", kept))
    assert digests(asked, same) == {"0": A, "1": A, "2": None}
    attribution = attribute(asked, same)
    assert attribution.unknown["2"].startswith("the engine's image store gives an image ID and no digest")


def test_of_several_images_another_image_does_not_have_it() -> None:
    asked = requested("type=image,name=a,push=true", "type=image,name=r.io/b,push=true")
    assert digests(asked, observed(("a", Image(imageid=B)), ("r.io/b", Image(imageid=C)))) == {"0": None, "1": A}
    assert digests(asked, observed()) == {"0": None, "1": None}
    nothing = observed(("a", Image(imageid=C)), ("r.io/b", Image(imageid=C)))
    assert nothing.record is not None
    nothing.record.images.clear()
    assert digests(asked, nothing) == {"0": None, "1": None}


def test_of_several_images_without_a_record_the_missing_record_is_the_reason() -> None:
    asked = requested("type=image,name=a,push=true", "type=oci,dest=a.tar")
    unknown = attribute(asked, replace(observed(), missing=("the build record is missing",))).unknown
    assert unknown == {"0": "the build record is missing", "1": "the build record is missing"}


def test_a_push_that_buildx_ignores_has_none() -> None:
    kept = Image(imageid=C)
    asked = requested("type=image,name=a,push=", "type=image,name=r.io/b,push=true")
    assert digests(asked, observed(("a", kept), ("r.io/b", kept))) == {"0": None, "1": A}


def test_several_images_have_no_digest_that_was_not_asked_by_tag() -> None:
    kept = Image(imageid=C)
    asked = requested("type=image,name=a,push=true", "type=image,name=r.io/b,push=true")
    both = observed(("a", kept), ("r.io/b", kept))
    plain = BuildEvidence(both.metadata, both.record, docker=True, proved=_PROVED)
    assert digests(asked, plain) == {"0": None, "1": None}
