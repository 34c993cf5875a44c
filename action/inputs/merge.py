"""The inputs of the merge action."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from action.dataclass import dataclass, field, replace
from action.errors import InputError
from action.inputs.policy import RetryPolicy, read_retry_policy
from action.inputs.values import input_flag, input_text, split_lines, split_list
from action.oci.image import normal_platform
from action.oci.reference import full_repository, parse_reference

MERGE_NAMES = frozenset(
    (
        *("annotations", "builder", "comment", "expect-platforms", "github-token", "keys", "matrix", "results"),
        *("retries", "retry-delay", "summary", "tags", "target"),
    )
)
"""The names of all inputs."""

RETRY_POLICY = RetryPolicy(retries=4, delay=2.0)
"""The default for merges: four retries, which wait 30 seconds in all."""

_FOR_KEY = re.compile(r"([A-Za-z0-9_.-]+)=(.*)", re.DOTALL)
_LEVEL = re.compile(r"[a-z-]+(?:\[[^\]]*\])?")
_LEVELS = re.compile(rf"{_LEVEL.pattern}(?:,{_LEVEL.pattern})*")
_INDEX = "index"
_DESCRIPTOR = "manifest-descriptor"
_DROPPED = ("manifest", "index-descriptor")


@dataclass(frozen=True)
class Tag:
    """A name under which a merged image is pushed.

    Attributes:
        name: the name as the user wrote it: `octo/app:1`.
        repository: the full repository, with its registry: `docker.io/octo/app`.
        key: the key of the exporter whose image gets the name; None if its repository determines that.
    """

    name: str
    repository: str
    key: str | None = None


@dataclass(frozen=True)
class MergeRequest:
    """What a merge does.

    Attributes:
        folder: the folder that contains the results files.
        tags: the names under which the merged images are pushed.
        annotations: the annotations of the index, each with its level: `index:key=value`.
        expect_platforms: the platforms that each merged image must have, normalized; empty to accept any.
        keys: the keys of the exporters to merge; empty for all that make an image.
        target: the bake target to merge, or empty.
        builder: the builder whose registry settings are used; empty for the current one.
        retry_policy: how often a request to a registry that fails is retried.
        github_token: the token to write a comment with, or empty.
        summary: whether the step writes a job summary.
        comment: whether the step comments on the pull request.
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
    """Read the inputs of a merge.

    Args:
        raw: input name to its text; a missing input has its default.

    Raises:
        InputError: a required input is missing, or an input is malformed.
    """
    text = partial(input_text, raw)

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
        summary=input_flag(raw, "summary", default=True),
        comment=input_flag(raw, "comment"),
    )


def merge_request(
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
    """Check the inputs of a merge that comes from the action or the command line.

    Args:
        results: the folder that contains the results files.
        tags: names such as `ghcr.io/octo/app:1`, or `KEY=NAME` for the image of one key.
        annotations: `key=value`, or `level:key=value`.
        expect_platforms: platforms such as `linux/amd64`.
        keys: the keys of the exporters to merge.
        target: the bake target to merge.
        builder: the builder whose registry settings are used.
        retries: the maximum number of retries, as text; empty for the default.
        retry_delay: seconds before the first retry, as text; empty for the default.

    Raises:
        InputError: a required input is missing, or an input is malformed.
    """
    if not results:
        raise InputError("results", "it is empty", "name the folder that contains the results files of the jobs")
    parsed = tuple(read_tag(tag) for tag in tags)
    if not parsed:
        rule = "write at least one name for the merged image, such as ghcr.io/octo/app:1"
        raise InputError("tags", "it is empty", rule)
    return MergeRequest(
        folder=Path(results),
        tags=tuple(dict.fromkeys(parsed)),
        annotations=tuple(_index_annotation(each) for each in annotations),
        expect_platforms=tuple(dict.fromkeys(_platform(each) for each in expect_platforms)),
        keys=tuple(dict.fromkeys(keys)),
        target=target,
        builder=builder,
        retry_policy=read_retry_policy(retries, retry_delay, default=RETRY_POLICY),
    )


def read_tag(text: str) -> Tag:
    """Read a name that an image gets: `NAME`, or `KEY=NAME` for the image of one key.

    Raises:
        InputError: the text is not such a name, or the name has a digest.
    """
    for_key = _FOR_KEY.fullmatch(text)
    key, name = (for_key[1], for_key[2]) if for_key else (None, text)
    reference = parse_reference(name)
    if reference is None or reference.digest is not None:
        rule = "write a name such as ghcr.io/octo/app:1, in lower case, or KEY=NAME for the image of one key"
        raise InputError("tags", f"{text!r} is not a tag", rule)
    return Tag(name, full_repository(reference.repository), key)


def _platform(text: str) -> str:
    platform = normal_platform(text)
    if platform is None:
        raise InputError(
            "expect-platforms", f"{text!r} is not a platform", "write a list such as linux/amd64,linux/arm64"
        )
    return platform


def _index_annotation(text: str) -> str:
    """Return an annotation with its level, as `buildx imagetools create` takes it: `index:key=value`.

    Args:
        text: `key=value`, which is for the index, or `level:key=value`.

    Raises:
        InputError: the annotation is malformed, or is only for the manifests of the images.
    """
    key, equals, value = text.partition("=")
    levels, colon, rest = key.partition(":")
    # A key may contain a colon itself, so only something that looks like a list of levels is one.
    if not colon or not _LEVELS.fullmatch(levels):
        levels, rest = _INDEX, key
    if not equals or not rest:
        raise InputError("annotations", f"{text!r} is not an annotation", "write key=value")
    kept = []
    for level in _LEVEL.findall(levels):
        name = level.partition("[")[0]
        # imagetools create changes the index and its descriptors only, and refuses other levels (docker/buildx 0.36,
        # util/imagetools/create.go). The manifests got their annotations when they were built, so `manifest` beside
        # `index`, which docker/metadata-action can write, is dropped.
        if level == _INDEX or name == _DESCRIPTOR:
            kept.append(level)
        elif name not in _DROPPED:
            raise InputError("annotations", f"{level!r} in {text!r} is not a level", "write index:key=value")
    if not kept:
        rule = (
            "a merged index takes index:key=value only; with docker/metadata-action set "
            "DOCKER_METADATA_ANNOTATIONS_LEVELS to manifest,index"
        )
        raise InputError("annotations", f"{text!r} is for the manifest of each image", rule)
    return f"{','.join(kept)}:{rest}={value}"
