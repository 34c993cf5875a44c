"""Which images a run is compared with, and which of them it replaces."""

from __future__ import annotations

import pytest

from action.buildx.command_line import read_build_command_line
from action.buildx.request import Request
from action.errors import InputError
from action.exporters.requested import Requested
from action.pipeline.compared_images import builder_of, compared_images

BAKE = Request(
    arguments=("bake",),
    targets={name: Requested((), 0, tags=(f"r.io/o/{name}:1",), push=True) for name in "abc"},
    bake=True,
)


def _replaced(compare: str, *arguments: str) -> bool:
    request = read_build_command_line((*arguments, "."))
    return compared_images((compare,), request)[""].replaced


@pytest.mark.parametrize(
    "arguments",
    [
        ("--push", "--tag", "ghcr.io/o/app"),
        ("--push", "--tag", "ghcr.io/o/app:1", "--tag", "ghcr.io/o/app:latest"),
        ("--output", "type=image,name=ghcr.io/o/app:latest,push=true"),
        ("--output", 'type=image,"name=ghcr.io/o/a,ghcr.io/o/app",push=true'),
        ("--output", "type=registry,name=ghcr.io/o/app"),
        ("--output", "type=image,name=*,push=true"),
        # One registry can have several names.
        ("--push", "--tag", "mirror.example/o/app"),
    ],
)
def test_a_tag_that_the_run_may_push_to_is_replaced(arguments: tuple[str, ...]) -> None:
    assert _replaced("ghcr.io/o/app:latest", *arguments)
    assert _replaced("ghcr.io/o/app", *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--push", "--tag", "ghcr.io/o/app:2"),
        ("--push", "--tag", "ghcr.io/p/app"),
        ("--load", "--tag", "ghcr.io/o/app"),
        ("--output", "type=image,name=ghcr.io/o/app"),
        ("--output", "type=oci,dest=a.tar"),
    ],
)
def test_another_tag_is_not_replaced_and_a_digest_never(arguments: tuple[str, ...]) -> None:
    assert not _replaced("ghcr.io/o/app:latest", *arguments)
    assert not _replaced(f"ghcr.io/o/app:latest@sha256:{'0' * 64}", "--push", "--tag", "ghcr.io/o/app")


def test_names_are_asked_for_in_full() -> None:
    request = read_build_command_line(("--builder=own", "."))
    digest = "sha256:" + "0" * 64
    for name, reference in (
        ("app", "docker.io/library/app:latest"),
        ("ghcr.io/o/app:1", "ghcr.io/o/app:1"),
        (f"localhost:5000/app:1@{digest}", f"localhost:5000/app@{digest}"),
    ):
        assert compared_images((name,), request)[""].reference == reference
    assert builder_of(request) == "own"
    assert builder_of(read_build_command_line((".",))) == ""


def test_each_target_of_a_bake_has_its_own_image_or_that_of_all() -> None:
    images = compared_images(("b=r.io/o/b:1", "r.io/o/all:1"), BAKE)
    assert {name: image.name for name, image in images.items()} == {
        "a": "r.io/o/all:1",
        "b": "r.io/o/b:1",
        "c": "r.io/o/all:1",
    }
    assert [image.replaced for image in images.values()] == [False, True, False]
    assert list(compared_images(("c=r.io/o/c:main",), BAKE)) == ["c"]


@pytest.mark.parametrize(
    ("compare", "said"),
    [
        (("Big",), "'Big' is not the name of an image; write the name of an image in a registry, with a tag or digest"),
        (("a=",), "'' is not the name of an image"),
        (("d=app",), "'d' is not a target of this bake; write one of: a, b, c"),
        (("a=app", "a=app:2"), "'a=app:2' is a second image for the same target; write each target once: TARGET=IMAGE"),
        (("app", "app:2"), "'app:2' is a second image for the same target"),
    ],
)
def test_an_item_that_cannot_be_used_is_an_error(compare: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=f"^compare: {said}"):
        compared_images(compare, BAKE)
