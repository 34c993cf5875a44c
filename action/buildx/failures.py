"""What a failed buildx means, and what to do about it."""

from __future__ import annotations

import re

from action.errors import BuildDigestsError, BuildFailedError, ProgramError
from action.process.program import CompletedProgram

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BUILD = re.compile(
    # A step's progress, what is repeated of it and of the Dockerfile where it failed, and the error that names it. A
    # step may print anything, what docker says of itself included.
    r"^[ \t]*(?:\#\d+ |\d+\.\d+ |\d+ \| ).*$|^ERROR: .*\bfailed to solve: process .*$",
    re.MULTILINE,
)
_NO_PLUGIN = re.compile(r"unknown command: docker buildx|'buildx' is not a docker command")
_UNKNOWN_FLAG = re.compile(r"unknown (?:shorthand )?flag: ")
_DOCKER_USAGE = re.compile(r"Usage:\s+docker \[OPTIONS\] COMMAND|See 'docker --help'")
"""A docker without the plugin reads the build's flags as its own, and shows its own usage."""
_NO_ENGINE = re.compile(
    r"Cannot connect to the Docker daemon|failed to connect to the docker API|docker daemon is not running"
    r"|error during connect|permission denied while trying to connect",
)
_OLD_FLAG = re.compile(r"unknown flag: (--[\w-]+)")
_NO_ATTESTATIONS = re.compile(
    r"Attestations? (?:is|are) not supported (?:for the \S+ driver|by the current BuildKit daemon)"
    r"|unknown flag: --attest\b"
)
_NOT_THIS_DRIVER = re.compile(r"(?:Multi-platform build|(?:OCI|Docker) exporter) is not supported for the \S+ driver")
_NOT_ON_NODES = re.compile(r"for multi-node builds currently not supported")
_ADVICE = {
    _NO_ENGINE: "no Docker engine answers: start or install one, or set DOCKER_HOST or the builder",
    _NO_ATTESTATIONS: (
        "this builder takes no attestations: use one of another driver (docker/setup-buildx-action makes it), turn on "
        "the containerd image store, or install BuildKit 0.11 or later; or set provenance to false and leave sbom and "
        "attests empty"
    ),
    _NOT_THIS_DRIVER: (
        "the docker driver with this image store makes no such output: use a builder of another driver "
        "(docker/setup-buildx-action makes it), or turn on the containerd image store"
    ),
    _NOT_ON_NODES: (
        "a builder of several nodes writes no such file: push the image instead, or use a builder of one node"
    ),
}
"""What buildx prints, and what to do about it."""
_NEEDS = {
    "--annotation": "0.12",
    "--build-context": "0.8",
    "--call": "0.15",
    "--check": "0.15",
    "--metadata-file": "0.6",
    "--provenance": "0.10",
    "--sbom": "0.10",
    "--var": "0.31",
}
_CHECKED = re.compile(r"^Check complete, (\d{1,9}) warnings? (?:has|have) been found!", re.MULTILINE)
"""What a check with findings says (docker/buildx 0.36, commands/build.go). A bake names the target before it."""
_LONGEST = 2000
_RATE_LIMIT_ADVICE = "the registry limits the rate of requests: set retries and retry-delay to try again later"
_RATE_LIMITED = re.compile(
    r"(?:\bdenied: |\b(?:403|429) [A-Z]).*(?:secondary rate limit|(?<![\w./-])retry[-_ ]after\W{1,4}\d)",
    re.IGNORECASE | re.DOTALL,
)
"""What a registry answers with a 403, which is otherwise a refusal, or with a 429.

ghcr.io says `denied: permission_denied: … "You have exceeded a secondary rate limit. …"`, on several lines. BuildKit
reports the message and no header, so a plain 403 with a Retry-After header cannot be told from a refusal (containerd
2.3, core/remotes/errors/errors.go). Before `retry-after` stands no part of a name: a repository may be named so.
"""


def failure(ended: CompletedProgram, *, call: str) -> BuildDigestsError:
    """Say why a build failed.

    Args:
        ended: how buildx ended, with what it printed where that was captured.
        call: what was asked for instead of a build, or empty.

    Returns:
        The error, with what to install where that would help.
    """
    text = plain(ended.stderr)
    last = last_error_line(text)
    if advised := advice(_BUILD.sub("", text)):
        return ProgramError(f"{advised} ({last})")
    if call == "check" and (said := _check_result(plain(ended.stdout))):
        return BuildFailedError(said)
    if is_rate_limited(error := last_error(text)):
        said = " ".join(error.split())[:_LONGEST]
        return BuildFailedError(f"buildx failed with: {said}; {_RATE_LIMIT_ADVICE}")
    if last:
        return BuildFailedError(f"buildx failed with: {last}")
    if ended.code < 0:
        return BuildFailedError(f"buildx was ended by signal {-ended.code}")
    return BuildFailedError(f"buildx failed with exit code {ended.code}; its own message is above")


def _check_result(text: str) -> str:
    """Return what a check found: of a bake, whose targets each have a count, the sum."""
    if total := sum(int(count) for count in _CHECKED.findall(text)):
        return f"Check complete, {total} {'warning has' if total == 1 else 'warnings have'} been found!"
    return text.strip().partition("\n")[0].strip()


def advice(text: str) -> str | None:
    """What to install or start, where what buildx printed says that this is why it failed; else None."""
    if _NO_PLUGIN.search(text) or (_UNKNOWN_FLAG.search(text) and _DOCKER_USAGE.search(text)):
        return (
            "docker has no buildx: install its plugin (https://docs.docker.com/go/buildx), or run "
            "docker/setup-buildx-action before this step"
        )
    for pattern, advised in _ADVICE.items():
        if pattern.search(text):
            return advised
    if old := _OLD_FLAG.search(text):
        if old[1] in _NEEDS:
            remedy = f"install buildx {_NEEDS[old[1]]} or later"
        else:
            remedy = "check its spelling, or install a newer buildx"
        return f"this buildx does not know {old[1]}: {remedy} (https://docs.docker.com/go/buildx)"
    return None


def unknown_option(ended: CompletedProgram) -> str | None:
    """Return the option that buildx does not know and therefore built nothing, or None."""
    text = _BUILD.sub("", plain(ended.stderr))
    if ended.code == 0 or _NO_PLUGIN.search(text) or _DOCKER_USAGE.search(text):
        return None
    return option[1] if (option := _OLD_FLAG.search(text)) else None


def refuses_attestations(ended: CompletedProgram) -> bool:
    """Whether buildx refused to build because attestations were asked for, before it built anything."""
    return ended.code != 0 and bool(_NO_ATTESTATIONS.search(_BUILD.sub("", plain(ended.stderr))))


def is_rate_limited(error: str) -> bool:
    """Tell whether a registry refused a request only because there were too many.

    Args:
        error: the whole error, as `last_error` gives it.
    """
    return _RATE_LIMITED.search(error) is not None


def last_error(text: str) -> str:
    """Return the last error with the lines that continue it, or an empty text if no line says `ERROR:`."""
    _, mark, error = f"\n{text}".rpartition("\nERROR:")
    return (mark + error).strip()[:_LONGEST]


def last_error_line(text: str) -> str:
    """The last line that says `ERROR:`, or else the last line of all; empty where there is none."""
    # Not at what else str.splitlines takes for the end of a line: a log may hold any of it.
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or [""])[-1][:_LONGEST]


def plain(text: str) -> str:
    """The text without terminal control sequences and characters."""
    return _CONTROL.sub("", _ANSI.sub("", text).replace("\r", "\n"))
