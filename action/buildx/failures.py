"""Finds the reason why buildx failed, and what to do about it, in what buildx printed."""

from __future__ import annotations

import re
import signal

from action.errors import BuildDigestsError, BuildFailedError, ProgramError
from action.process.docker import NO_BUILDX, NO_BUILDX_MESSAGES
from action.process.program import CompletedProgram

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
"""Terminal control sequences (ECMA-48): CSI, such as colours, and OSC, such as window titles and links."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

# Lines of the build, not of buildx: a step's progress, the excerpts of the log and of the Dockerfile that follow a
# failed step, and the error that names the step. They are removed before anything is looked for, because a step can
# print any text, such as docker's own messages.
_BUILD = re.compile(
    r"^[ \t]*(?:\#\d+ |\d+\.\d+ |\d+ \| ).*$|^ERROR: .*\bfailed to solve: process .*$",
    re.MULTILINE,
)

_NO_PLUGIN = re.compile("|".join(NO_BUILDX_MESSAGES))
_UNKNOWN_FLAG = re.compile(r"unknown (?:shorthand )?flag: ")

# Without the plugin, docker takes the build's flags for its own, and prints its own usage.
_DOCKER_USAGE = re.compile(r"Usage:\s+docker \[OPTIONS\] COMMAND|See 'docker --help'")

_NO_ENGINE = re.compile(
    r"Cannot connect to the Docker daemon|failed to connect to the docker API|docker daemon is not running"
    r"|error during connect",
)
_NO_ACCESS = re.compile(r"permission denied while trying to connect")
_OLD_FLAG = re.compile(r"unknown flag: (--[\w-]+)")

# Errors of docker/buildx 0.36 (build/opt.go, build/build.go, build/utils.go).
_NO_ATTESTATIONS = re.compile(
    # 0.10 to 0.12 of docker/buildx write it in lower case and name the daemon buildkitd (build/build.go).
    r"[Aa]ttestations? (?:is|are) not supported (?:for the \S+ driver|by the current (?:BuildKit daemon|buildkitd))"
    r"|unknown flag: --attest\b"
)
_NOT_THIS_DRIVER = re.compile(r"(?:Multi-platform build|(?:OCI|Docker) exporter) is not supported for the \S+ driver")
_NO_CACHE = re.compile(r"Cache export is not supported for the \S+ driver")
_NOT_ON_NODES = re.compile(r"for multi-node builds currently not supported")

_ADVICE = {
    _NO_ACCESS: (
        "this user may not use the Docker engine: use sudo, or add the user to the group docker and log in again; "
        "DOCKER_HOST names another engine"
    ),
    _NO_ENGINE: "no Docker engine answers: start or install one, or set DOCKER_HOST or the builder",
    _NO_ATTESTATIONS: (
        "this builder does not support attestations: use one of another driver (docker/setup-buildx-action makes it), "
        "turn on the containerd image store, or install BuildKit 0.11 or later; or set provenance to false and leave "
        "sbom and attests empty"
    ),
    _NOT_THIS_DRIVER: (
        "the docker driver with this image store cannot make this output: use a builder of another driver "
        "(docker/setup-buildx-action makes it), or turn on the containerd image store"
    ),
    _NO_CACHE: (
        "the docker driver with this image store cannot write this cache: use a builder of another driver "
        "(docker/setup-buildx-action makes it), turn on the containerd image store, or leave out cache-to"
    ),
    _NOT_ON_NODES: (
        "a builder of several nodes cannot write such a file: push the image instead, or use a builder of one node"
    ),
}

# Option to the first buildx that has it.
_FIRST_VERSIONS = {
    "--annotation": "0.12",
    "--build-context": "0.8",
    "--call": "0.15",
    "--check": "0.15",
    "--metadata-file": "0.6",
    "--provenance": "0.10",
    "--sbom": "0.10",
    "--var": "0.31",
}

# The first line of a check that has findings (docker/buildx 0.36, commands/build.go). A bake prints the name of each
# target before it.
_CHECKED = re.compile(r"^Check complete, (\d{1,9}) warnings? (?:has|have) been found!", re.MULTILINE)

# An error can contain the command and the output of a whole step.
_MAX_CHARACTERS = 2000

# Errors of BuildKit (frontend/dockerui/config.go) and buildx 0.36 (build/opt.go, commands/bake.go).
_NO_FILES = re.compile(
    r"failed to read dockerfile: open .+: no such file or directory"
    r"|unable to prepare context: path .+ not found|resolve .*: lstat .+: no such file or directory"
    r"|couldn't find a bake definition|^ERROR: open .+: no such file or directory"
)

_CHECKOUT_ADVICE = (
    "check the path of the folder and of the file (--file); "
    "in a workflow, files of the repository need actions/checkout before this step"
)

# Texts of buildx 0.36 (build/opt.go), Go's net and net/http, and containerd 2.3 (core/remotes/docker), in the order in
# which they are looked for. Not compiled here, because only a failed build needs them.
_HINTS = {
    r"tag is needed when pushing to registry": (
        "the pushed image has no name: add --tag NAME (input tags), or name=NAME to its output"
    ),
    r"server gave HTTP response to HTTPS client": (
        "this registry answers over HTTP only: add it to insecure-registries of the engine, or to the configuration of "
        "the builder (https://docs.docker.com/build/buildkit/toml-configuration)"
    ),
    r"(?:Head|Get|Post|Put|Patch) \"?https?://.*(?:connection refused|no such host|i/o timeout|no route to host)": (
        "the registry does not answer: check the network, the registry's name and port in the image's name, and that "
        "it runs; localhost is the machine, or the container, in which the builder runs"
    ),
    r"failed to fetch remote|error fetching default branch": (
        "git cannot read this repository: check its address and the network; a private one needs a token (input "
        "github-token, secret GIT_AUTH_TOKEN); to build the files of a workspace instead, set context to . after "
        "actions/checkout"
    ),
    r"currently not implemented for \S+ driver": (
        "use a builder of another driver: docker/setup-buildx-action makes it, in a terminal docker buildx create --use"
    ),
    r"40[13] (?:Unauthorized|Forbidden)|authorization failed|no basic auth credentials|insufficient_scope|\bdenied: ": (
        "the registry refuses this account: log in (docker login; in a workflow docker/login-action), and check the "
        "name of the image and that the account may push to it or pull it"
    ),
}
"""Pattern of buildx's last error to what to do."""

_RATE_LIMIT_ADVICE = "the registry limits the rate of requests: set retries and retry-delay to try again later"

# ghcr.io answers `denied: permission_denied: … "You have exceeded a secondary rate limit. …"`, on several lines, with
# the status 403, which otherwise is a refusal. BuildKit reports the message and no header, so a 403 with only a
# Retry-After header cannot be distinguished from a refusal (containerd 2.3, core/remotes/errors/errors.go). The
# lookbehind is for names: a repository may be called `retry-after`.
_RATE_LIMITED = re.compile(
    r"(?:\bdenied: |\b(?:403|429) [A-Z]).*(?:secondary rate limit|(?<![\w./-])retry[-_ ]after\W{1,4}\d)",
    re.IGNORECASE | re.DOTALL,
)


def failure(ended: CompletedProgram, *, call: str) -> BuildDigestsError:
    """Return the error for a run of buildx that failed.

    Args:
        ended: how buildx ended, with its output if that was captured.
        call: the method of `--call`, such as `check`, or empty for a build.

    Returns:
        A ProgramError with advice if something must be installed, started or configured; otherwise a BuildFailedError
        with buildx's last error, its signal or its exit code.
    """
    text = plain(ended.stderr)
    last = last_error_line(text)
    if advised := advice(_BUILD.sub("", text)):
        # docker's last line refers to docker's own help.
        return ProgramError(advised if advised == NO_BUILDX else f"{advised} ({last})")
    if call == "check" and (findings := _check_result(plain(ended.stdout))):
        return BuildFailedError(findings)
    if is_rate_limited(error := last_error(text)):
        message = " ".join(error.split())[:_MAX_CHARACTERS]
        return BuildFailedError(f"buildx failed with: {message}; {_RATE_LIMIT_ADVICE}")
    if last.endswith(":"):
        # BuildKit has git's messages on lines of their own after `git stderr:` (source/git/source.go).
        last = " ".join(error.split())[:_MAX_CHARACTERS] or last
    if last:
        hint = _hint(last)
        return BuildFailedError(f"buildx failed with: {last}{'; ' if hint else ''}{hint}")
    return BuildFailedError(_end_without_message(ended.code))


def _end_without_message(code: int) -> str:
    if code < 0:
        return f"buildx was ended by signal {-code}"
    if code == 128 + signal.SIGINT:  # as buildx 0.29 ends after Ctrl-C
        return f"the build was canceled, and buildx ended with exit code {code}"
    return f"buildx failed with exit code {code}; its own message is above"


def _hint(last: str) -> str:
    """Return what to do about buildx's last error, or an empty text if nothing is known of it."""
    if _BUILD.match(last):
        return ""  # the command of a step, which can contain any text
    if _NO_FILES.search(last):
        return _CHECKOUT_ADVICE
    return next((hint for pattern, hint in _HINTS.items() if re.search(pattern, last)), "")


def _check_result(text: str) -> str:
    """Return the result of a check on one line: the number of warnings in all targets, else the first line."""
    if total := sum(int(count) for count in _CHECKED.findall(text)):
        return f"Check complete, {total} {'warning has' if total == 1 else 'warnings have'} been found!"
    return text.strip().partition("\n")[0].strip()


def advice(text: str) -> str | None:
    """Return what to install, start or configure, or None if the text names no such reason.

    Args:
        text: what buildx printed, without control sequences.
    """
    # First of all: a docker without the plugin calls the flags of the build unknown, as an old buildx does.
    if _NO_PLUGIN.search(text) or (_UNKNOWN_FLAG.search(text) and _DOCKER_USAGE.search(text)):
        return NO_BUILDX
    for pattern, advised in _ADVICE.items():
        if pattern.search(text):
            return advised
    if old := _OLD_FLAG.search(text):
        if old[1] in _FIRST_VERSIONS:
            remedy = f"install buildx {_FIRST_VERSIONS[old[1]]} or later"
        else:
            remedy = "check its spelling, or install a newer buildx"
        return f"this buildx does not know {old[1]}: {remedy} (https://docs.docker.com/go/buildx)"
    return None


def unknown_option(ended: CompletedProgram) -> str | None:
    """Return the option that made buildx refuse to run because it does not know it, or None."""
    text = _BUILD.sub("", plain(ended.stderr))
    if ended.code == 0 or _NO_PLUGIN.search(text) or _DOCKER_USAGE.search(text):
        return None
    return option[1] if (option := _OLD_FLAG.search(text)) else None


def refuses_attestations(ended: CompletedProgram) -> bool:
    """Return whether buildx refused to build because attestations were requested; it has built nothing then."""
    return ended.code != 0 and bool(_NO_ATTESTATIONS.search(_BUILD.sub("", plain(ended.stderr))))


def is_rate_limited(error: str) -> bool:
    """Return whether a registry refused a request only because there were too many.

    Args:
        error: the whole error, as `last_error` returns it.
    """
    return _RATE_LIMITED.search(error) is not None


def last_error(text: str) -> str:
    """Return the last error, with the lines that continue it, or an empty text if no line starts with `ERROR:`."""
    _, mark, error = f"\n{text}".rpartition("\nERROR:")
    return (mark + error).strip()[:_MAX_CHARACTERS]


def last_error_line(text: str) -> str:
    """Return the last line that starts with `ERROR:`, else the last line that is not blank, else an empty text."""
    # Not str.splitlines, which also splits at U+2028 and other characters that a step can print.
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or [""])[-1][:_MAX_CHARACTERS]


def error_line(ended: CompletedProgram) -> str:
    """Return the last error line of a program without its `ERROR: `, or the exit code if it printed nothing."""
    return last_error_line(plain(ended.stderr)).removeprefix("ERROR: ") or f"exit code {ended.code}"


def plain(text: str) -> str:
    """Return a text without terminal control sequences and control characters; a carriage return ends a line."""
    return _CONTROL.sub("", ANSI.sub("", text).replace("\r", "\n"))
