"""The inputs of the promote action: an image by its digest or a results file, and the tags."""

from __future__ import annotations

from pathlib import Path

import pytest

from action.errors import InputError
from action.inputs.policy import RetryPolicy
from action.inputs.promote import promote_request, read_promote_inputs
from action.oci.reference import Reference

DIGEST = "sha256:" + "a" * 64


def test_an_image_is_named_by_its_digest_with_or_without_a_tag() -> None:
    expected = Reference("docker.io/library/app", None, DIGEST)
    assert promote_request(source=f"app@{DIGEST}", tags=["app:1"]).source == expected
    assert promote_request(source=f"localhost:5000/a/b:1@{DIGEST}", tags=["a:1"]).source == Reference(
        "localhost:5000/a/b", "1", DIGEST
    )


def test_a_file_with_the_name_of_an_image_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"app@{DIGEST}").write_text("{}")
    assert isinstance(promote_request(source=f"app@{DIGEST}", tags=["app:1"]).source, Reference)


def test_the_inputs_are_read(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.touch()
    raw = {"source": f" {file} ", "tags": "one=app:1\napp:2,docker.io/library/app:2", "keys": "one,two,one"}
    more = {"target": "web", "referrers": "true", "dry-run": "true", "builder": "b", "retries": "1", "retry-delay": "0"}
    request = read_promote_inputs({**raw, **more})
    assert request.source == file
    assert [(tag.name, tag.key) for tag in request.tags] == [("app:1", "one"), ("docker.io/library/app:2", None)]
    assert (request.keys, request.target, request.builder) == (("one", "two"), "web", "b")
    assert (request.referrers, request.dry_run, request.retry_policy) == (True, True, RetryPolicy(1, 0.0))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "source: it is empty; write NAME@sha256:…"),
        (
            "ghcr.io/octo/app:1",
            "source: 'ghcr.io/octo/app:1' is not a file and has no digest, and a tag can move; write NAME",
        ),
        ("missing/results.json", "source: 'missing/results.json' is not a file; "),
        (".", "source: . is a folder; "),
        ("app@sha256:abc", "source: 'sha256:abc' in 'app@sha256:abc' is not a digest; "),
        (f"App@{DIGEST}", f"source: 'App@{DIGEST}' is not a name with a digest; "),
        ("app@", "source: 'app@' is not a name with a digest; "),
        (f"oci-layout://app@{DIGEST}", "source: 'oci-layout://app@"),
        ("x" * 300, "source: 'xxx"),
    ],
)
def test_a_source_that_cannot_be_used_says_what_to_write(source: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        promote_request(source=source, tags=["app:1"])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tags": []}, "tags: it is empty; "),
        ({"tags": [f"app@{DIGEST}"]}, f"tags: 'app@{DIGEST}' is not a tag; "),
        ({"tags": ["App:1"]}, "tags: 'App:1' is not a tag; "),
        ({"keys": ["release"]}, f"keys: source names one image (app@{DIGEST}), which has no keys; leave keys empty"),
        ({"target": "web"}, f"target: source names one image (app@{DIGEST}), which has no target; leave target empty"),
        ({"retries": "many"}, "retries: 'many' is not valid; "),
    ],
)
def test_other_inputs_that_cannot_be_used_say_what_to_write(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        promote_request(**{"source": f"app@{DIGEST}", "tags": ["app:1"], **options})  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
