"""The inputs of the build action, typed: those of docker/build-push-action v7 and a few of our own."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from action.errors import InputError
from action.inputs.booleans import input_boolean
from action.inputs.csv_lists import split_lines, split_list, split_raw_lines
from action.inputs.policy import NO_RETRIES, Policy
from action.inputs.retry_policy import read_retry_policy

_SURROGATE = re.compile("[\ud800-\udfff]")

BOOLEANS = ("comment", "load", "no-cache", "pull", "push", "record", "require-digests", "summary", "verify")
TEXTS = (
    "builder",
    "call",
    "cgroup-parent",
    "context",
    "file",
    "network",
    "provenance",
    "retries",
    "retry-delay",
    "sbom",
    "shm-size",
    "target",
    "github-token",
)
COMMA_LISTS = ("add-hosts", "allow", "no-cache-filters", "platforms", "secret-envs", "ssh", "tags")
LINE_LISTS = (
    "annotations",
    "attests",
    "build-args",
    "build-contexts",
    "cache-from",
    "cache-to",
    "labels",
    "outputs",
    "secrets",
    "secret-files",
    "ulimit",
)
NAMES = frozenset((*BOOLEANS, *TEXTS, *COMMA_LISTS, *LINE_LISTS))
"""Every input's name."""


@dataclass(frozen=True)
class Inputs:
    """The inputs, one field each under the input's name; lists are split, booleans read, texts stripped."""

    add_hosts: tuple[str, ...]
    allow: tuple[str, ...]
    annotations: tuple[str, ...]
    attests: tuple[str, ...]
    build_args: tuple[str, ...]
    build_contexts: tuple[str, ...]
    builder: str
    cache_from: tuple[str, ...]
    cache_to: tuple[str, ...]
    call: str
    cgroup_parent: str
    context: str
    file: str
    labels: tuple[str, ...]
    load: bool
    network: str
    no_cache: bool
    no_cache_filters: tuple[str, ...]
    outputs: tuple[str, ...]
    platforms: tuple[str, ...]
    provenance: str
    pull: bool
    push: bool
    sbom: str
    secrets: tuple[str, ...] = field(repr=False)
    secret_envs: tuple[str, ...]
    secret_files: tuple[str, ...]
    shm_size: str
    ssh: tuple[str, ...]
    tags: tuple[str, ...]
    target: str
    ulimit: tuple[str, ...]
    github_token: str = field(repr=False)
    policy: Policy
    summary: bool = True
    comment: bool = False
    record: bool = False


def parse_inputs(document: str) -> dict[str, str]:
    """Read the `INPUTS` environment variable: a JSON object, input name to text, as `toJSON(inputs)` writes it.

    Raises:
        InputError: it is no such object.
    """
    rule = 'expected a JSON object of input names and texts, such as {"push": "true"}'
    try:
        raw = json.loads(document or "{}")
    except (ValueError, RecursionError) as error:
        # json's own message holds a position only, never a value.
        raise InputError("INPUTS", f"not JSON ({error})", rule) from None
    if not isinstance(raw, dict):
        raise InputError("INPUTS", f"found {type(raw).__name__}", rule)
    if any(_SURROGATE.search(name) for name in raw):
        raise InputError("INPUTS", "a name holds half a character (a lone surrogate)", rule)
    # GitHub takes a name in any case, and hands it on as the workflow has it.
    return {name.lower(): _text(name, value) for name, value in raw.items()}


def known_inputs(raw: Mapping[str, str], names: frozenset[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Separate the inputs that the action declares from those that it does not.

    GitHub's runner only warns of an undeclared input, and a composite action still finds it in `toJSON(inputs)`.

    Args:
        raw: input name to its text.
        names: every input that the action declares.

    Returns:
        The declared inputs, and a warning for each other one. The warnings show no value: it may be a secret.
    """
    warnings = []
    for name in raw:
        if name not in names:
            near = difflib.get_close_matches(name, sorted(names), n=1)
            rule = f"did you mean {near[0]}?" if near else "see the inputs in action.yml"
            warnings.append(f"{name}: this action has no such input, so it is ignored; {rule}")
    return {name: text for name, text in raw.items() if name in names}, tuple(warnings)


def read_inputs(raw: Mapping[str, str]) -> Inputs:
    """Type the inputs.

    Args:
        raw: input name to its text; an input that is not there has its default, which is empty or false.

    Raises:
        InputError: a boolean that is none, a list that is no CSV.
    """

    def text(name: str) -> str:
        return raw.get(name, "").strip()

    def flag(name: str) -> bool:
        return input_boolean(name, text(name))

    def items(name: str) -> tuple[str, ...]:
        return split_list(name, text(name))

    def lines(name: str) -> tuple[str, ...]:
        return split_lines(name, text(name))

    return Inputs(
        add_hosts=items("add-hosts"),
        allow=items("allow"),
        annotations=lines("annotations"),
        attests=lines("attests"),
        build_args=lines("build-args"),
        build_contexts=lines("build-contexts"),
        builder=text("builder"),
        cache_from=lines("cache-from"),
        cache_to=lines("cache-to"),
        call=text("call"),
        cgroup_parent=text("cgroup-parent"),
        context=text("context"),
        file=text("file"),
        labels=lines("labels"),
        load=flag("load"),
        network=text("network"),
        no_cache=flag("no-cache"),
        no_cache_filters=items("no-cache-filters"),
        outputs=split_raw_lines(text("outputs")),
        platforms=items("platforms"),
        provenance=text("provenance"),
        pull=flag("pull"),
        push=flag("push"),
        sbom=text("sbom"),
        secrets=split_lines("secrets", raw.get("secrets", ""), strip=False),
        secret_envs=items("secret-envs"),
        secret_files=lines("secret-files"),
        shm_size=text("shm-size"),
        ssh=items("ssh"),
        tags=items("tags"),
        target=text("target"),
        ulimit=lines("ulimit"),
        github_token=text("github-token"),
        policy=Policy(
            require_digests=flag("require-digests"),
            verify=flag("verify"),
            retry_policy=read_retry_policy(text("retries"), text("retry-delay"), default=NO_RETRIES),
        ),
        summary=input_boolean("summary", text("summary") or "true"),
        comment=flag("comment"),
        record=flag("record"),
    )


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise InputError(name, f"found a JSON {type(value).__name__}", "an input is text")
    if "\0" in value:
        raise InputError(name, "it holds a NUL character", "no program takes one as an argument")
    if _SURROGATE.search(value):
        raise InputError(name, "it holds half a character (a lone surrogate)", "write it in UTF-8")
    return value
