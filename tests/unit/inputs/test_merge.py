from __future__ import annotations

from pathlib import Path

import pytest

from action.errors import InputError
from action.inputs.merge import Tag, read_merge_inputs
from action.inputs.policy import RetryPolicy

LEAST = {"results": "r", "tags": "ghcr.io/octo/app:1"}


def test_every_input_is_read() -> None:
    request = read_merge_inputs(
        {
            "results": " results ",
            "tags": "ghcr.io/octo/app:1, octo/app:1\nbig=ghcr.io/octo/app:2",
            "annotations": 'a=b\n"c=d, e"',
            "expect-platforms": "linux/arm64/v8,linux/x86_64",
            "keys": "release\nbig",
            "target": "web",
            "builder": "remote",
            "retries": "0",
            "retry-delay": "0.5",
        }
    )
    assert request.folder == Path("results")
    assert request.tags == (
        Tag("ghcr.io/octo/app:1", "ghcr.io/octo/app"),
        Tag("octo/app:1", "docker.io/octo/app"),
        Tag("ghcr.io/octo/app:2", "ghcr.io/octo/app", "big"),
    )
    assert request.annotations == ("index:a=b", "index:c=d, e")
    assert request.expect_platforms == ("linux/arm64", "linux/amd64")
    assert (request.keys, request.target, request.builder) == (("release", "big"), "web", "remote")
    assert request.retry_policy == RetryPolicy(0, 0.5)


def test_requests_to_a_registry_are_retried_four_times_by_default() -> None:
    assert read_merge_inputs(LEAST).retry_policy == RetryPolicy(4, 2.0)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("results", "", "results: it is empty; name the folder"),
        ("tags", "", "tags: it is empty; write at least one name"),
        ("tags", "ghcr.io/Octo/App:1", "tags: 'ghcr.io/Octo/App:1' is not a tag; write a name"),
        ("tags", "--dry-run", "tags: '--dry-run' is not a tag"),
        ("tags", "app@sha256:" + "0" * 64, "is not a tag"),
        ("tags", "a b", "tags: 'a b' is not a tag"),
        ("expect-platforms", "amd64", "expect-platforms: 'amd64' is not a platform; write a list such as linux/amd64"),
        ("retries", "-1", "retries: '-1' is not valid; write a whole number from 0 to 20"),
        ("retries", "21", "retries: '21' is not valid"),
        ("retries", "9" * 5000, "is not valid"),
        ("retry-delay", "nan", "retry-delay: 'nan' is not valid; write a number of seconds from 0 to 300"),
        ("retry-delay", "301", "retry-delay: '301' is not valid"),
        ("annotations", "title", "annotations: 'title' is not an annotation; write key=value"),
        ("annotations", "index:=x", "annotations: 'index:=x' is not an annotation"),
        ("annotations", "idnex:a=b", "'idnex' in 'idnex:a=b' is not a level"),
        ("annotations", "manifest:a=b", "is for the manifest of each image; a merged index takes"),
    ],
)
def test_an_error_has_the_rule_that_the_input_breaks(name: str, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_merge_inputs({**LEAST, name: text})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", "index:a=b"),
        ("org.opencontainers.image.url=https://x/?a=b", "index:org.opencontainers.image.url=https://x/?a=b"),
        ("index:a=b", "index:a=b"),
        ("manifest,index:a=b", "index:a=b"),
        ("manifest-descriptor[linux/amd64]:a=b", "manifest-descriptor[linux/amd64]:a=b"),
        ("index,manifest-descriptor:a=b", "index,manifest-descriptor:a=b"),
        ("a.b:c=d", "index:a.b:c=d"),
        ("a=", "index:a="),
    ],
)
def test_an_annotation_without_a_level_is_for_the_index(text: str, expected: str) -> None:
    assert read_merge_inputs({**LEAST, "annotations": text}).annotations == (expected,)
