"""The inputs of the merge action, typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from action.errors import InputError
from action.inputs.annotations import index_annotation
from action.inputs.booleans import input_boolean
from action.inputs.csv_lists import split_lines, split_list
from action.inputs.retry_policy import RetryPolicy, read_retry_policy
from action.oci.platforms import normal_platform
from action.oci.reference import full_repository, parse_reference

MERGE_NAMES = frozenset(
    (
        *("annotations", "builder", "comment", "expect-platforms", "github-token", "keys", "results", "retries"),
        *("retry-delay", "summary", "tags", "target"),
    )
)
"""Every input's name."""

RETRY_POLICY = RetryPolicy(retries=4, delay=2.0)
"""What holds where the inputs say nothing: four more attempts within half a minute."""

_FOR_KEY = re.compile(r"([A-Za-z0-9_.-]+)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Tag:
    """A name that a joined image is pushed by.

    Attributes:
        name: as the user wrote it: `ghcr.io/o/app:1`.
        repository: its repository in full, registry included.
        key: the key of the exporter that it is meant for; None where its repository says it.
    """

    name: str
    repository: str
    key: str | None = None


@dataclass(frozen=True)
class MergeRequest:
    """One merge.

    Attributes:
        folder: the folder of results files.
        tags: the names that the joined images are pushed by.
        annotations: the index's annotations, each with its level.
        expect_platforms: the platforms that each joined image must have, in their normal form; empty for any.
        keys: the keys of the exporters to join; empty for all that make an image.
        target: the bake target to join, or empty.
        builder: the builder whose settings of registries hold, or empty.
        retry_policy: how often a registry that fails is asked again.
        github_token: the token that a comment is written with, or empty.
        summary: whether there is a job summary.
        comment: whether the pull request gets a comment.
    """

    folder: Path
    tags: tuple[Tag, ...]
    annotations: tuple[str, ...]
    expect_platforms: tuple[str, ...]
    keys: tuple[str, ...]
    target: str
    builder: str
    retry_policy: RetryPolicy
    github_token: str = field(default="", repr=False)
    summary: bool = True
    comment: bool = False


def read_merge_inputs(raw: Mapping[str, str]) -> MergeRequest:
    """Type the inputs of the action.

    Args:
        raw: input name to its text; an input that is not there has its default.

    Raises:
        InputError: an input that is missing or breaks a rule.
    """

    def text(name: str) -> str:
        return raw.get(name, "").strip()

    request = merge_request(
        results=text("results"),
        tags=split_list("tags", text("tags")),
        annotations=split_lines("annotations", text("annotations")),
        expect_platforms=split_list("expect-platforms", text("expect-platforms")),
        keys=split_list("keys", text("keys")),
        target=text("target"),
        builder=text("builder"),
        retries=text("retries"),
        retry_delay=text("retry-delay"),
    )
    return replace(
        request,
        github_token=text("github-token"),
        summary=input_boolean("summary", text("summary") or "true"),
        comment=input_boolean("comment", text("comment")),
    )


def merge_request(  # noqa: PLR0913  # one for each input
    *,
    results: str,
    tags: Iterable[str],
    annotations: Iterable[str] = (),
    expect_platforms: Iterable[str] = (),
    keys: Iterable[str] = (),
    target: str = "",
    builder: str = "",
    retries: str = "",
    retry_delay: str = "",
) -> MergeRequest:
    """Check a merge's inputs.

    Raises:
        InputError: one is missing or breaks a rule.
    """
    if not results:
        raise InputError("results", "it is empty", "name the folder that the jobs' results files are in")
    parsed = tuple(_tag(tag) for tag in tags)
    if not parsed:
        rule = "name at least one, such as ghcr.io/octo/app:1: the joined image is pushed by it"
        raise InputError("tags", "there is none", rule)
    return MergeRequest(
        folder=Path(results),
        tags=tuple(dict.fromkeys(parsed)),
        annotations=tuple(index_annotation("annotations", each) for each in annotations),
        expect_platforms=tuple(dict.fromkeys(_platform(each) for each in expect_platforms)),
        keys=tuple(dict.fromkeys(keys)),
        target=target,
        builder=builder,
        retry_policy=read_retry_policy(retries, retry_delay, default=RETRY_POLICY),
    )


def _tag(text: str) -> Tag:
    for_key = _FOR_KEY.fullmatch(text)
    key, name = (for_key[1], for_key[2]) if for_key else (None, text)
    reference = parse_reference(name)
    if reference is None or reference.digest is not None:
        rule = "write a name such as ghcr.io/octo/app:1, in lower case, or KEY=NAME for one key's image alone"
        raise InputError("tags", f"{text!r} is no tag", rule)
    return Tag(name, full_repository(reference.repository), key)


def _platform(text: str) -> str:
    platform = normal_platform(text)
    if platform is None:
        raise InputError("expect-platforms", f"{text!r} is no platform", "write such as linux/amd64,linux/arm64")
    return platform
