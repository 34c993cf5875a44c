"""The inputs of the bake action: those of docker/bake-action 7, and more."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from action.dataclass import dataclass, field
from action.inputs.policy import Policy, read_policy
from action.inputs.values import input_flag, input_text, split_list, split_raw_lines

BAKE_NAMES = frozenset(
    (
        *(
            "allow",
            "attestations",
            "builder",
            "call",
            "comment",
            "compare",
            "files",
            "github-token",
            "load",
            "matrix",
            "no-cache",
            "platform-subjects",
            "provenance",
        ),
        *("pull", "push", "record", "require-digests", "retries", "retry-delay", "sbom", "set", "source", "summary"),
        *("targets", "vars", "verify", "workdir"),
    )
)
"""The names of all inputs."""


@dataclass(frozen=True)
class BakeInputs:
    """The inputs of a bake: for each input a field of its name, except that `policy` has seven of them.

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
    text, flag = partial(input_text, raw), partial(input_flag, raw)

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
        policy=read_policy(raw),
        sbom=text("sbom"),
        set=split_raw_lines(text("set")),
        source=text("source"),
        targets=split_list("targets", text("targets")),
        vars=split_raw_lines(text("vars")),
        workdir=text("workdir"),
        summary=flag("summary", default=True),
        comment=flag("comment"),
        record=flag("record"),
    )
