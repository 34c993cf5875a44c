"""The inputs of the promote action."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from action.dataclass import dataclass
from action.errors import InputError
from action.inputs.merge import RETRY_POLICY, Tag, read_tag
from action.inputs.policy import RetryPolicy, read_retry_policy
from action.inputs.values import input_flag, input_text, split_list
from action.oci.image import DIGEST_PATTERN
from action.oci.reference import Reference, full_name, parse_reference

PROMOTE_NAMES = frozenset(
    ("builder", "dry-run", "keys", "referrers", "retries", "retry-delay", "source", "tags", "target")
)
"""The names of all inputs."""


@dataclass(frozen=True)
class PromoteRequest:
    """What a promotion does.

    Attributes:
        source: the image by its digest, or the path of a results file.
        tags: the names that the images get, each once.
        keys: the keys of the exporters in the results file; empty for all that were pushed.
        target: the bake target in the results file, or empty.
        referrers: whether signatures and other artifacts that refer to an image are copied with it.
        dry_run: whether everything is checked and nothing is pushed.
        builder: the builder whose registry settings are used; empty for the current one.
        retry_policy: how often a request to a registry that fails is retried.
    """

    source: Reference | Path
    tags: tuple[Tag, ...]
    keys: tuple[str, ...]
    target: str
    referrers: bool
    dry_run: bool
    builder: str
    retry_policy: RetryPolicy


def read_promote_inputs(raw: Mapping[str, str]) -> PromoteRequest:
    """Read the inputs of a promotion.

    Args:
        raw: input name to its text; a missing input has its default.

    Raises:
        InputError: a required input is missing, or an input is malformed.
    """
    text = partial(input_text, raw)
    return promote_request(
        source=text("source"),
        tags=split_list("tags", text("tags")),
        keys=split_list("keys", text("keys")),
        target=text("target"),
        referrers=input_flag(raw, "referrers"),
        dry_run=input_flag(raw, "dry-run"),
        builder=text("builder"),
        retries=text("retries"),
        retry_delay=text("retry-delay"),
    )


def promote_request(
    *,
    source: str,
    tags: Iterable[str],
    keys: Iterable[str] = (),
    target: str = "",
    referrers: bool = False,
    dry_run: bool = False,
    builder: str = "",
    retries: str = "",
    retry_delay: str = "",
) -> PromoteRequest:
    """Check the inputs of a promotion that comes from the action or the command line.

    Args:
        source: `NAME@DIGEST`, or the path of a results file.
        tags: names such as `ghcr.io/octo/app:1`, or `KEY=NAME` for the image of one key.
        keys: the keys of the exporters in the results file.
        target: the bake target in the results file.
        referrers: whether artifacts that refer to an image are copied with it.
        dry_run: whether nothing is pushed.
        builder: the builder whose registry settings are used.
        retries: the maximum number of retries, as text; empty for the default.
        retry_delay: seconds before the first retry, as text; empty for the default.

    Raises:
        InputError: a required input is missing, or an input is malformed.
    """
    parsed = [read_tag(tag) for tag in tags]
    if not parsed:
        raise InputError("tags", "it is empty", "write at least one name for the image, such as ghcr.io/octo/app:1")
    chosen = tuple(dict.fromkeys(keys))
    found = _source(source)
    if isinstance(found, Reference) and (chosen or target):
        name = "keys" if chosen else "target"
        rule = f"leave {name} empty, or set source to a results file"
        raise InputError(name, f"source names one image ({source}), which has no {name}", rule)
    return PromoteRequest(
        source=found,
        # `app` and `docker.io/library/app:latest` are one tag.
        tags=tuple({(full_name(tag.name), tag.key): tag for tag in parsed}.values()),
        keys=chosen,
        target=target,
        referrers=referrers,
        dry_run=dry_run,
        builder=builder,
        retry_policy=read_retry_policy(retries, retry_delay, default=RETRY_POLICY),
    )


def _source(text: str) -> Reference | Path:
    rule = "write NAME@sha256:…, as in the output refs of a build, or the path of a results file"
    if not text:
        raise InputError("source", "it is empty", rule)
    reference = parse_reference(text)
    # First: a file in the workspace with such a name must not take the place of the image.
    if reference and reference.digest:
        if not re.match(DIGEST_PATTERN, reference.digest):
            raise InputError("source", f"{reference.digest!r} in {text!r} is not a digest", rule)
        return reference
    path = Path(text)
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except OSError as error:  # a name of 300 characters, for example
        raise InputError("source", f"{text!r} cannot be opened: {error.strerror}", rule) from None
    if is_file:
        return path
    if is_folder:
        raise InputError("source", f"{text} is a folder", f"{rule} in it")
    if "@" in text:
        raise InputError("source", f"{text!r} is not a name with a digest", rule)
    what = "is not a file" if text.endswith(".json") else "is not a file and has no digest, and a tag can move"
    raise InputError("source", f"{text!r} {what}", rule)
