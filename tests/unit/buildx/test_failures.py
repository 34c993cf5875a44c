"""Errors made from texts that buildx and docker print."""

from __future__ import annotations

import pytest

from action.buildx.failures import failure, last_error_line, plain, refuses_attestations, unknown_option
from action.errors import BuildFailedError, ProgramError
from action.process.program import CompletedProgram
from tests.work import growth

_NO_PLUGIN = """unknown flag: --metadata-file

Usage:  docker [OPTIONS] COMMAND [ARG...]

Run 'docker --help' for more information
"""


@pytest.mark.parametrize(
    ("stderr", "advice"),
    [
        (_NO_PLUGIN, "docker has no buildx: install its plugin"),
        ("unknown flag: --metadata-file\nSee 'docker --help'.\n", "docker has no buildx"),
        ("unknown shorthand flag: 'o' in -o\nSee 'docker --help'.\n", "docker has no buildx"),
        ("docker: 'buildx' is not a docker command.\nSee 'docker --help'\n", "docker has no buildx"),
        ("docker: unknown command: docker buildx\n\nRun 'docker --help'\n", "docker has no buildx"),
        (
            "ERROR: Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?",
            "no Docker engine answers: start or install one",
        ),
        ("ERROR: failed to connect to the docker API at unix:///x", "no Docker engine answers"),
        (
            "ERROR: permission denied while trying to connect to the Docker daemon socket at unix:///run/docker.sock",
            "this user may not use the Docker engine: use sudo, or add the user to the group docker",
        ),
        ("ERROR: unknown flag: --annotation", "this buildx does not know --annotation: install buildx 0.12 or later"),
        ("ERROR: unknown flag: --call", "install buildx 0.15 or later"),
        ("ERROR: unknown flag: --newest", "check its spelling, or install a newer buildx"),
        (
            "ERROR: Attestation is not supported for the docker driver.\nSwitch",
            "this builder does not support attestations",
        ),
        (
            "ERROR: failed to build: OCI exporter is not supported for the docker driver.\nSwitch to another",
            "the docker driver with this image store cannot make this output: use a builder of another driver",
        ),
        ("ERROR: Docker exporter is not supported for the docker driver.", "the docker driver with this image store"),
        ("ERROR: Multi-platform build is not supported for the docker driver.", "turn on the containerd image store"),
        (
            "ERROR: failed to build: Cache export is not supported for the docker driver.\nSwitch to",
            "the docker driver with this image store cannot write this cache: use a builder of another driver",
        ),
        (
            "ERROR: oci for multi-node builds currently not supported",
            "a builder of several nodes cannot write such a file",
        ),
        ("ERROR: attestations are not", "buildx failed with: ERROR: attestations are not"),
    ],
)
def test_an_error_says_what_to_install_or_start(stderr: str, advice: str) -> None:
    assert advice in str(failure(CompletedProgram(1, stderr=stderr), call=""))


# As buildx 0.29 of Debian printed them; but HTTP for HTTPS is as in docker/buildx#820, the status 403 as in
# ruby/ruby.wasm#513, and the denied push as in openedx/edx-notes-api#405.
_PUSH = "failed to build: failed to solve: failed to push"


@pytest.mark.parametrize(
    ("last", "hint"),
    [
        (
            "failed to build: push-by-digest is currently not implemented for docker driver, please create one",
            "use a builder of another driver: docker/setup-buildx-action makes it",
        ),
        ("failed to build: tag is needed when pushing to registry", "the pushed image has no name: add --tag NAME"),
        (
            (
                f'{_PUSH} localhost:9/a:latest: failed to do request: Head "https://localhost:9/v2/a/blobs/sha256:3a": '
                "dial tcp [::1]:9: connect: connection refused"
            ),
            "the registry does not answer: check the network, the registry's name and port",
        ),
        (
            (
                f'{_PUSH} r.lan:5000/a: failed to do request: Head "https://r.lan:5000/v2/a/blobs/sha256:3a": '
                "http: server gave HTTP response to HTTPS client"
            ),
            "this registry answers over HTTP only",
        ),
        (
            (
                f'{_PUSH} r.nowhere/a: failed to do request: Head "https://r.nowhere/v2/a/blobs/sha256:3a": '
                "dial tcp: lookup r.nowhere on 127.0.0.53:53: no such host"
            ),
            "the registry does not answer",
        ),
        (
            (
                f"{_PUSH} ghcr.io/o/a: unexpected status from POST request to https://ghcr.io/v2/o/a/blobs/uploads/: "
                "403 Forbidden"
            ),
            "the registry refuses this account: log in (docker login; in a workflow docker/login-action)",
        ),
        (
            (
                f"{_PUSH} docker.io/o/a: push access denied, repository does not exist or may require authorization: "
                "server message: insufficient_scope: authorization failed"
            ),
            "the registry refuses this account",
        ),
    ],
)
def test_a_common_error_is_followed_by_what_to_do(last: str, hint: str) -> None:
    error = str(failure(CompletedProgram(1, stderr=f"ERROR: {last}\n"), call=""))
    assert error.startswith(f"buildx failed with: ERROR: {last}; {hint}")


def test_a_build_that_ctrl_c_ended_has_not_failed() -> None:
    error = str(failure(CompletedProgram(130), call=""))
    assert error == "the build was canceled, and buildx ended with exit code 130"


def test_what_git_says_on_the_next_lines_is_part_of_the_error() -> None:
    stderr = (
        "ERROR: failed to build: failed to solve: failed to read dockerfile: failed to load cache key: error fetching "
        "default branch for repository http://127.0.0.1:9/a.git: git stderr:\n"
        "fatal: unable to access 'http://127.0.0.1:9/a.git/': Couldn't connect to server\n: exit status 128\n"
    )
    error = str(failure(CompletedProgram(1, stderr=stderr), call=""))
    assert "git stderr: fatal: unable to access 'http://127.0.0.1:9/a.git/': Couldn't connect to server" in error
    assert "; git cannot read this repository: check its address and the network" in error


def test_the_command_of_a_failed_step_gets_no_hint() -> None:
    last = (
        'ERROR: failed to build: failed to solve: process "/bin/sh -c curl Head https://a/ || echo connection refused" '
        "did not complete successfully: exit code: 7"
    )
    assert str(failure(CompletedProgram(1, stderr=f"{last}\n"), call="")) == f"buildx failed with: {last}"


@pytest.mark.parametrize(
    "last",
    [
        "failed to build: failed to solve: failed to read dockerfile: open Dockerfile: no such file or directory",
        'failed to build: unable to prepare context: path "app" not found',
        "failed to build: resolve : lstat docker: no such file or directory",
        "couldn't find a bake definition",
        "open docker-bake.hcl: no such file or directory",
    ],
)
def test_a_missing_file_of_the_repository_leads_to_the_checkout(last: str) -> None:
    error = failure(CompletedProgram(1, stderr=f"#1 DONE 0.0s\nERROR: {last}\n"), call="")
    advice = (
        "check the path of the folder and of the file (--file); in a workflow, files of the repository need "
        "actions/checkout before this step"
    )
    assert str(error) == f"buildx failed with: ERROR: {last}; {advice}"


@pytest.mark.parametrize(
    "last",
    [
        'failed to build: failed to solve: process "/bin/sh -c cat x" did not complete successfully: exit code: 1',
        'failed to build: failed to solve: failed to compute cache key: "/x": not found',
    ],
)
def test_a_failed_step_of_the_build_does_not(last: str) -> None:
    error = failure(CompletedProgram(1, stderr=f"#1 0.1 open x: no such file or directory\nERROR: {last}\n"), call="")
    assert str(error) == f"buildx failed with: ERROR: {last}"


def test_a_flag_that_buildx_does_not_know_is_not_a_missing_plugin() -> None:
    stderr = "unknown flag: --annotation\nSee 'docker buildx build --help'.\n"
    error = failure(CompletedProgram(125, stderr=stderr), call="")
    assert isinstance(error, ProgramError)
    assert str(error).startswith("this buildx does not know --annotation: install buildx 0.12 or later")


def test_the_last_error_line_is_reported_and_not_the_lines_after_it() -> None:
    stderr = "#5 ERROR: process failed\n------\nERROR: first\nERROR: failed to solve: second\nLearn more at x\n"
    error = failure(CompletedProgram(1, stderr=stderr), call="")
    assert isinstance(error, BuildFailedError)
    assert str(error) == "buildx failed with: ERROR: failed to solve: second"
    assert last_error_line("one\ntwo\n") == "two"
    assert last_error_line("") == ""


def test_a_check_is_reported_with_its_first_line() -> None:
    ended = CompletedProgram(1, stdout="Check complete, 2 warnings have been found!\nmore\n", stderr="#1 DONE")
    assert str(failure(ended, call="check")) == "Check complete, 2 warnings have been found!"
    assert (
        str(failure(CompletedProgram(1, stderr="ERROR: no file"), call="check")) == "buildx failed with: ERROR: no file"
    )


def test_checks_of_several_targets_are_added_up() -> None:
    web = "web\n\nCheck complete, 7 warnings have been found!\n\nWARNING: x\n"
    api = "api\n\nCheck complete, 1 warning has been found!\n"
    fine = "fine\n\nCheck complete, no warnings found.\n"
    ended = CompletedProgram(1, stdout=web + api + fine)
    assert str(failure(ended, call="check")) == "Check complete, 8 warnings have been found!"
    assert (
        str(failure(CompletedProgram(1, stdout=fine + api), call="check"))
        == "Check complete, 1 warning has been found!"
    )


def test_a_check_without_a_count_is_reported_with_its_first_line() -> None:
    assert str(failure(CompletedProgram(1, stdout="Check failed\nmore\n"), call="check")) == "Check failed"


_BUILT = """#0 building with "default" instance using docker driver
#5 [2/2] RUN ./test.sh
#5 0.214 {text}
#5 ERROR: process "/bin/sh -c ./test.sh" did not complete successfully: exit code: 1
------
 > [2/2] RUN ./test.sh:
0.214 {text}
12.50 {text}
123.4 {text}
------
Dockerfile:2
--------------------
   1 |     FROM alpine
   2 | >>> RUN ./test.sh || echo "{text}"
--------------------
ERROR: failed to build: failed to solve: process "/bin/sh -c ./test.sh || echo \"{text}\"" did not complete
"""


@pytest.mark.parametrize(
    "text",
    [
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "error during connect: x",
        "unknown flag: --annotation",
        "unknown flag: --x See 'docker --help'.",
        "docker: 'buildx' is not a docker command.",
        "Attestations are not supported by the current BuildKit daemon",
    ],
)
def test_the_output_of_a_build_step_is_not_taken_for_a_message_of_buildx(text: str) -> None:
    # A RUN instruction may well use docker, or test a program like this one.
    ended = CompletedProgram(1, stderr=_BUILT.format(text=text))
    error = failure(ended, call="")
    assert isinstance(error, BuildFailedError)
    assert str(error).startswith("buildx failed with: ERROR: failed to build: failed to solve: process")
    assert refuses_attestations(ended) is False


def test_an_engine_that_stops_answering_during_the_build_is_reported() -> None:
    text = "Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?"
    error = failure(
        CompletedProgram(1, stderr=f"#1 [internal] booting buildkit\n#1 ERROR: {text}\n------\nERROR: {text}\n"),
        call="",
    )
    assert isinstance(error, ProgramError)
    assert str(error).startswith("no Docker engine answers")


@pytest.mark.parametrize("text", ["unknown flag: ", "\x1b]", "\x1b[1", "ERROR: ", "\r", "1", "#1 ", " "])
def test_the_time_for_a_log_grows_no_faster_than_its_length(text: str) -> None:
    # The larger of the two sizes is 64 KiB, the longest text that is captured.
    assert growth(lambda size: failure(CompletedProgram(1, stderr=text * (size // len(text))), call=""), 8192) < 1.5


def test_without_any_text_the_exit_code_or_signal_is_reported() -> None:
    assert "exit code 3" in str(failure(CompletedProgram(3), call=""))
    assert "signal 9" in str(failure(CompletedProgram(-9), call=""))


def test_control_sequences_do_not_reach_a_message() -> None:
    assert plain("\x1b[31mERROR: red\x1b[0m\x1b]0;title\x07\x00\b") == "ERROR: red"
    assert last_error_line(plain("progress 1\rERROR: end\r\n")) == "ERROR: end"


def test_a_long_line_is_cut() -> None:
    assert len(last_error_line("ERROR: " + "x" * 1_000_000)) == 2000


@pytest.mark.parametrize(
    ("ended", "refused"),
    [
        (CompletedProgram(1, stderr="ERROR: Attestation is not supported for the docker driver."), True),
        (
            CompletedProgram(
                1, stderr="ERROR: failed to build: Attestations are not supported by the current BuildKit daemon"
            ),
            True,
        ),
        # docker/buildx 0.10 to 0.12, build/build.go
        (CompletedProgram(1, stderr="ERROR: attestations are not supported by the current buildkitd"), True),
        (CompletedProgram(125, stderr="unknown flag: --attest\nSee 'docker buildx build --help'."), True),
        (CompletedProgram(0, stderr="Attestation is not supported for the docker driver."), False),
        (CompletedProgram(1, stderr="ERROR: no such file"), False),
    ],
)
def test_a_builder_without_attestations_is_distinguished_from_a_build_that_fails(
    ended: CompletedProgram, *, refused: bool
) -> None:
    assert refuses_attestations(ended) is refused


@pytest.mark.parametrize(
    ("stderr", "code", "option"),
    [
        ("unknown flag: --annotation\nSee 'docker buildx build --help'.", 125, "--annotation"),
        ("ERROR: unknown flag: --attest", 1, "--attest"),
        ("unknown flag: --annotation\nSee 'docker buildx build --help'.", 0, None),
        # Docker itself, without the plugin.
        ("unknown flag: --annotation\nSee 'docker --help'.", 125, None),
        ("docker: 'buildx' is not a docker command.\nunknown flag: --annotation", 1, None),
        # What a step printed.
        ('#7 0.1 unknown flag: --annotation\nERROR: failed to solve: process "x" did not complete', 1, None),
        ("ERROR: failed to push", 1, None),
    ],
)
def test_an_option_that_buildx_does_not_know_is_read_from_its_error(stderr: str, code: int, option: str | None) -> None:
    assert unknown_option(CompletedProgram(code, "", stderr)) == option
