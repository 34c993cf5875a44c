"""The inputs of the build action: those of docker/build-push-action 7, and more."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from action.dataclass import dataclass, field
from action.inputs.policy import Policy, read_policy
from action.inputs.values import input_flag, input_text, split_lines, split_list, split_raw_lines

BUILD_NAMES = frozenset(
    (
        *(
            "add-hosts",
            "allow",
            "annotations",
            "attestations",
            "attests",
            "build-args",
            "build-contexts",
            "builder",
            "cache-from",
        ),
        *(
            "cache-to",
            "call",
            "cgroup-parent",
            "comment",
            "compare",
            "context",
            "file",
            "github-token",
            "labels",
            "load",
        ),
        *(
            "matrix",
            "network",
            "no-cache",
            "no-cache-filters",
            "outputs",
            "platform-subjects",
            "platforms",
            "provenance",
            "pull",
            "push",
        ),
        *("record", "require-digests", "retries", "retry-delay", "sbom", "secret-envs", "secret-files", "secrets"),
        *("shm-size", "ssh", "summary", "tags", "target", "ulimit", "verify"),
    )
)
"""The names of all inputs."""


@dataclass(frozen=True)
class BuildInputs:
    """The inputs of a build: for each input a field of its name, except that `policy` has seven of them.

    Lists are split, booleans are read, and white space around texts is removed.
    """

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


def read_build_inputs(raw: Mapping[str, str]) -> BuildInputs:
    """Read the inputs of a build.

    Args:
        raw: input name to its text; a missing input has its default, which for most is empty or false.

    Raises:
        InputError: a boolean, a number or a list is malformed.
    """
    text, flag = partial(input_text, raw), partial(input_flag, raw)

    def items(name: str) -> tuple[str, ...]:
        return split_list(name, text(name))

    def lines(name: str) -> tuple[str, ...]:
        return split_lines(name, text(name))

    # Which lists split at commas is decided by docker/build-push-action 7 (src/context.ts, `getInputs`: `ignoreComma`).
    return BuildInputs(
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
        # Quotes are kept: buildx reads each output as CSV.
        outputs=split_raw_lines(text("outputs")),
        platforms=items("platforms"),
        provenance=text("provenance"),
        pull=flag("pull"),
        push=flag("push"),
        sbom=text("sbom"),
        # White space is kept: it may be a part of a secret.
        secrets=split_lines("secrets", raw.get("secrets", ""), strip=False),
        secret_envs=items("secret-envs"),
        secret_files=lines("secret-files"),
        shm_size=text("shm-size"),
        ssh=items("ssh"),
        tags=items("tags"),
        target=text("target"),
        ulimit=lines("ulimit"),
        github_token=text("github-token"),
        policy=read_policy(raw),
        summary=flag("summary", default=True),
        comment=flag("comment"),
        record=flag("record"),
    )
