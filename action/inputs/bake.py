"""The inputs of the bake action: those of docker/bake-action, and the action's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from action.inputs.booleans import input_boolean
from action.inputs.csv_lists import split_list, split_raw_lines
from action.inputs.policy import NO_RETRIES, Policy, read_retry_policy

BAKE_NAMES = frozenset(
    (
        *("allow", "builder", "call", "comment", "files", "github-token", "load", "matrix", "no-cache", "provenance"),
        *("pull", "push", "record", "require-digests", "retries", "retry-delay", "sbom", "set", "source", "summary"),
        *("targets", "vars", "verify", "workdir"),
    )
)
"""The names of all inputs."""


@dataclass(frozen=True)
class BakeInputs:
    """The inputs of a bake: for each input a field of its name, except that `policy` has four of them.

    Lists are split, booleans are read, and white space around texts is removed.
    """

    allow: tuple[str, ...]
    builder: str
    call: str
    files: tuple[str, ...]
    github_token: str = field(repr=False)
    load: bool
    no_cache: bool
    provenance: str
    pull: bool
    push: bool
    policy: Policy
    sbom: str
    set: tuple[str, ...]
    source: str
    targets: tuple[str, ...]
    vars: tuple[str, ...]
    workdir: str
    summary: bool = True
    comment: bool = False
    record: bool = False


def read_bake_inputs(raw: Mapping[str, str]) -> BakeInputs:
    """Read the inputs of a bake.

    Args:
        raw: input name to its text; a missing input has its default, which for most is empty or false.

    Raises:
        InputError: a boolean, a number or a list is malformed.
    """

    def text(name: str) -> str:
        return raw.get(name, "").strip()

    def flag(name: str) -> bool:
        return input_boolean(name, text(name))

    # Quotes in `set` and `vars` are kept, as in docker/bake-action 7 (src/context.ts, `quote: false`): they are a
    # part of the value.
    return BakeInputs(
        allow=split_list("allow", text("allow")),
        builder=text("builder"),
        call=text("call"),
        files=split_list("files", text("files")),
        github_token=text("github-token"),
        load=flag("load"),
        no_cache=flag("no-cache"),
        provenance=text("provenance"),
        pull=flag("pull"),
        push=flag("push"),
        policy=Policy(
            require_digests=flag("require-digests"),
            verify=flag("verify"),
            retry_policy=read_retry_policy(text("retries"), text("retry-delay"), default=NO_RETRIES),
        ),
        sbom=text("sbom"),
        set=split_raw_lines(text("set")),
        source=text("source"),
        targets=split_list("targets", text("targets")),
        vars=split_raw_lines(text("vars")),
        workdir=text("workdir"),
        summary=input_boolean("summary", text("summary") or "true"),
        comment=flag("comment"),
        record=flag("record"),
    )
