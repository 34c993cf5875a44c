from __future__ import annotations

import pytest

from action.errors import InputError
from action.exporters.output import parse_outputs
from action.exporters.requested import requested_exporters


def test_cacheonly_asks_for_no_exporter_and_keeps_its_place() -> None:
    requested = requested_exporters(parse_outputs(["type=cacheonly", "type=oci,dest=x"]))
    assert [exporter.key for exporter in requested.exporters] == ["1"]
    assert requested.outputs == 2
    assert requested.may_default is False


def test_the_key_is_the_id_or_else_the_place() -> None:
    requested = requested_exporters(parse_outputs(["out", "type=oci,dest=x,id=tar"]))
    assert [exporter.key for exporter in requested.exporters] == ["0", "tar"]


def test_tags_are_the_names_of_every_image_and_of_no_files() -> None:
    outputs = ["type=image,name=a", "type=registry,name=b", "type=oci,dest=x", "type=docker", "out", "type=tar,dest=t"]
    requested = requested_exporters(parse_outputs(outputs), tags=("t:1", "t:2"))
    assert [exporter.names for exporter in requested.exporters] == [("t:1", "t:2")] * 4 + [()] * 2


@pytest.mark.parametrize(
    ("output", "push", "pushed"),
    [
        ("type=image,name=a", False, False),
        ("type=image,name=a", True, True),
        ("type=image,name=a,push=true", False, True),
        ("type=image,name=a,push=1", False, True),
        ("type=image,name=a,push=false", False, False),
        # BuildKit takes an attribute that is there without a value for true (exporter/containerimage/export.go).
        ("type=image,name=a,push=", False, True),
        ("type=image,name=a,push=perhaps", False, False),
        ("type=image,name=a,push=false", True, True),
        # buildx sets push on it whatever it says (build/opt.go).
        ("type=registry,name=a,push=false", False, True),
        ("type=teleport,name=a", True, False),
        ("type=registry,name=a", False, True),
        ("type=oci,dest=x", True, False),
        ("type=docker", True, False),
        ("type=moby,name=a", True, False),
        ("type=moby,name=a,push=true", False, True),
        # Only BuildKit's image exporter pushes.
        ("type=oci,dest=x,push=true", False, False),
        ("type=oci,dest=x,push=", False, False),
        ("type=local,dest=x,push=true", False, False),
        ("type=tar,dest=x,push=true", False, False),
        ("type=docker,dest=x,push=true", False, False),
        # The docker driver makes an image exporter of it (buildx 0.38, build/opt.go).
        ("type=docker,push=true", False, True),
        ("type=docker,dest=,push=true", False, True),
        ("out", True, False),
    ],
)
def test_what_is_pushed(output: str, *, push: bool, pushed: bool) -> None:
    (exporter,) = requested_exporters(parse_outputs([output]), push=push).exporters
    assert exporter.push is pushed
    if push and exporter.type in {"image", "registry"}:
        assert exporter.attributes["push"] == "true"


@pytest.mark.parametrize(
    ("outputs", "push", "load", "adds"),
    [
        ([], True, False, (True, False)),
        ([], False, True, (False, True)),
        ([], True, True, (True, True)),
        (["type=image,name=a"], True, False, (False, False)),
        (["type=registry,name=a"], True, False, (False, False)),
        (["type=oci,dest=x"], True, False, (True, False)),
        (["type=docker"], False, True, (False, False)),
        (["type=oci,dest=x"], False, True, (False, True)),
    ],
)
def test_what_buildx_surely_adds(outputs: list[str], *, push: bool, load: bool, adds: tuple[bool, bool]) -> None:
    requested = requested_exporters(parse_outputs(outputs), push=push, load=load)
    assert (requested.adds_image, requested.adds_docker) == adds


@pytest.mark.parametrize(
    ("outputs", "push", "load", "may"),
    [
        ([], False, False, True),
        ([], True, False, False),
        ([], False, True, False),
        (["type=cacheonly"], False, False, False),
        (["out"], False, False, False),
    ],
)
def test_the_driver_may_choose_where_nothing_was_asked_for(
    outputs: list[str], *, push: bool, load: bool, may: bool
) -> None:
    assert requested_exporters(parse_outputs(outputs), push=push, load=load).may_default is may


@pytest.mark.parametrize("call", ["check", "outline", "targets", "check,format=json", "format=json,outline", "lint"])
def test_a_call_exports_nothing(call: str) -> None:
    requested = requested_exporters(parse_outputs(["type=oci,dest=x"]), push=True, load=True, call=call)
    assert requested.exporters == ()
    assert (requested.adds_image, requested.may_add_docker, requested.may_default) == (False, False, False)
    assert requested.writes_stdout


@pytest.mark.parametrize("call", ["", "build", "build,format=json", "format=json,build"])
def test_a_call_of_build_is_a_build(call: str) -> None:
    assert requested_exporters(parse_outputs(["type=oci,dest=x"]), call=call).exporters


def test_a_call_that_is_no_csv_is_named() -> None:
    with pytest.raises(InputError, match=r"^call: "):
        requested_exporters((), call='"check')


@pytest.mark.parametrize(
    ("output", "writes"),
    [
        ("-", True),
        ("type=oci,dest=-", True),
        ("type=oci,dest=x", False),
        # Without a path a tar goes there, and an OCI layout unless it is a folder (buildx 0.38, build/opt.go).
        ("type=tar", True),
        ("type=tar,tar=false", True),
        ("type=tar,dest=x", False),
        ("type=oci", True),
        ("type=oci,dest=", True),
        ("type=oci,tar=1", True),
        ("type=oci,tar=perhaps", True),
        ("type=oci,tar=false", False),
        ("type=docker", False),
        ("type=image,name=a", False),
        ("type=local,dest=x", False),
    ],
)
def test_what_writes_to_standard_output(output: str, *, writes: bool) -> None:
    assert requested_exporters(parse_outputs([output])).writes_stdout is writes


def test_an_exporter_that_buildx_adds_comes_after_the_users_list() -> None:
    requested = requested_exporters(parse_outputs(["type=cacheonly"]), tags=("t:1",), push=True, load=True)
    image, docker = requested.added(0, "image"), requested.added(1, "docker")
    assert [(each.key, each.names, each.push) for each in (image, docker)] == [
        ("1", ("t:1",), True),
        ("2", ("t:1",), False),
    ]


def test_only_the_image_that_buildx_adds_for_push_is_pushed() -> None:
    loaded = requested_exporters(parse_outputs(["type=image,name=a"]), push=True, load=True)
    assert loaded.added(0, "image").push is False
    assert loaded.added(0, "image", ("n:1",)).names == ("n:1",)
    both = requested_exporters((), push=True, load=True)
    assert [both.added(place, "image").push for place in (0, 1)] == [True, False]


@pytest.mark.parametrize(
    ("annotation", "attributes"),
    [
        ("org.a=b", {"annotation.org.a"}),
        ("manifest:org.a=b:c=d", {"annotation-manifest.org.a"}),
        ("index,manifest-descriptor[linux/amd64]:k=", {"annotation-index.k", "annotation-manifest-descriptor.k"}),
        ("manifest[linux/arm/v7],manifest[linux/amd64]:k=v", {"annotation-manifest.k"}),
        ("k[a]=v", {"annotation.k[a]"}),
    ],
)
def test_an_annotation_overwrites_these_attributes_of_every_output(annotation: str, attributes: set[str]) -> None:
    assert requested_exporters((), annotations=(annotation,)).overwritten == attributes
