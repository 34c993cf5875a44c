from __future__ import annotations

import json

import pytest

from action.dataclass import replace
from action.exporters.attributed import AttributedBuild, AttributedExporter, other_pushed
from tests.unit.merging.jobs import document, exporter

FILES = replace(exporter("files", names=(), digest=None, push=False), type="local")
TAR = replace(exporter("tar", names=(), digest="t", push=False), type="oci")
ONE = exporter("one", names=("r.io/a:1",), digest="a")
TWO = exporter("two", names=("r.io/b:1",), digest=None)


@pytest.mark.parametrize(
    ("exporters", "who"),
    [
        ((TAR, ONE), "exporter one was"),
        ((FILES, TAR, ONE), "exporter one was"),
        ((TAR, ONE, TWO), "exporters one and two were"),
    ],
)
def test_a_notice_names_the_pushed_exporters(exporters: tuple[AttributedExporter, ...], who: str) -> None:
    assert other_pushed(AttributedBuild(None, exporters)) == (
        f"`digest` is of exporter tar (oci), the first that makes an image, which was not pushed; {who}: use the "
        "digest under that key in `digests`"
    )


@pytest.mark.parametrize("exporters", [(), (FILES,), (TAR,), (ONE, TAR), (FILES, ONE, TWO)])
def test_there_is_no_notice_if_the_first_image_was_pushed_or_none_was(
    exporters: tuple[AttributedExporter, ...],
) -> None:
    assert other_pushed(AttributedBuild(None, exporters)) is None


def test_the_document_is_indented_by_two() -> None:
    text = document(AttributedBuild("b/n/r", (ONE,)))
    assert text == json.dumps(json.loads(text), indent=2)
    assert json.loads(text)["exporters"][0]["key"] == "one"
