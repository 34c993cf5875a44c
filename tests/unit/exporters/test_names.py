"""Exporters of a bake, whose definition buildx evaluates anew for the build."""

from __future__ import annotations

from action.dataclass import replace
from action.evidence.responses import Metadata, Response
from action.exporters.build_evidence import ReportedExporter, as_reported, with_reported_names
from action.exporters.matching import match
from action.exporters.output import parse_outputs
from action.exporters.requested import Requested, requested_exporters


def requested(*outputs: str, tags: tuple[str, ...] = ()) -> Requested:
    return replace(requested_exporters(parse_outputs(outputs), tags=tags), reevaluated=True)


def named(names: str) -> Metadata:
    return Metadata("b/n/r", Response({"image.name": names}))


def names_of(found: Requested) -> list[tuple[str, ...]]:
    return [exporter.names for exporter in found.exporters]


def observed(kind: str, names: str, **attributes: str) -> ReportedExporter:
    given = {"name": names, **attributes}
    return ReportedExporter(kind, attributes.get("id"), tuple(filter(None, names.split(","))), given)


def test_the_merged_response_names_the_only_exporter_that_has_a_name() -> None:
    found = with_reported_names(requested("type=image,name=a:1", "type=oci,dest=x"), named("docker.io/library/a:2"))
    assert names_of(found) == [("docker.io/library/a:2",), ()]
    assert found.tags == ()


def test_the_merged_response_names_every_exporter_with_tags() -> None:
    asked = requested("type=image", "type=oci,dest=x", "type=local,dest=y", tags=("a:1",))
    found = with_reported_names(asked, named("docker.io/library/a:2"))
    assert names_of(found) == [("docker.io/library/a:2",), ("docker.io/library/a:2",), ()]
    assert found.tags == ("docker.io/library/a:2",)


def test_of_several_names_the_merged_response_says_nothing() -> None:
    asked = requested("type=image,name=a:1", "type=image,name=b:1")
    assert with_reported_names(asked, named("docker.io/library/b:2")) == asked


def test_the_name_of_an_image_without_a_name_is_no_name() -> None:
    asked = requested("type=image,name=a:1")
    assert with_reported_names(asked, named("moby-dangling@sha256:" + "a" * 64)) == asked


def test_a_build_is_not_evaluated_anew() -> None:
    asked = replace(requested("type=image,name=a:1"), reevaluated=False)
    assert with_reported_names(asked, named("docker.io/library/a:2")) == asked
    assert as_reported(asked, asked.exporters[0], observed("image", "b:1")) == asked.exporters[0]


def test_what_an_exporter_reports_of_itself_is_its_name() -> None:
    asked = requested("type=image,name=a:1", "type=oci,dest=x")
    image, archive = asked.exporters
    assert as_reported(asked, image, observed("image", "docker.io/library/a:2")).names == ("docker.io/library/a:2",)
    assert as_reported(asked, image, observed("image", "docker.io/library/a:1")).names == ("a:1",)
    assert as_reported(asked, image, None) == image
    assert as_reported(asked, archive, observed("oci", "b:1")) == archive


def test_exporters_match_in_their_order_where_values_differ() -> None:
    asked = requested("type=image,name=a:1,annotation.x=1", "type=image,name=b:1", "type=oci,dest=x")
    ran = [observed("image", "a:2", **{"annotation.x": "2"}), observed("image", "b:2"), observed("oci", "")]
    assert match(asked, ran).places == {0: 0, 1: 1, 2: 2}
    assert match(replace(asked, reevaluated=False), ran).places == {2: 2}


def test_where_types_ids_or_pushes_differ_too_values_count() -> None:
    asked = requested("type=image,name=a:1", "type=image,name=b:1")
    assert match(asked, [observed("image", "a:2"), observed("oci", "b:2")]).places == {}
    assert match(asked, [observed("image", "a:2")]).places == {}
    assert match(asked, [observed("image", "a:2"), observed("image", "b:2"), observed("image", "c:2")]).places == {}
    assert match(asked, [observed("image", "a:2"), observed("image", "b:2", push="true")]).places == {}
    with_ids = requested("type=image,name=a:1,id=a", "type=image,name=b:1,id=b")
    assert match(with_ids, [observed("image", "b:2", id="b"), observed("image", "a:2", id="a")]).places == {}


def test_where_names_say_which_is_which_the_order_does_not() -> None:
    # One of the two was asked to push, and the record says that of the other: only the names tell them apart.
    asked = requested("type=image,name=a:1", "type=image,name=b:1,push=true")
    ran = [observed("image", "docker.io/library/b:1"), observed("image", "docker.io/library/a:1", push="true")]
    assert match(asked, ran).places == {0: 1, 1: 0}
