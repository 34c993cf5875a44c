"""A step and the command in poor surroundings: no home, no folder for temporary files, streams that are closed."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.github_output import read_github_output
from tests.starting import NO_INDEX, ROOT, START

COMMAND = str(Path(sys.executable).parent / "build-digests")
DIGEST = "sha256:" + "a" * 64
DOCKER = f"""#!/bin/sh
[ "$2" = build ] || exit 1
while [ "$1" != --metadata-file ]; do shift; done
cat > "$2" << EOF
{{"containerimage.digest": "{DIGEST}", "containerimage.descriptor": {{"mediaType":
"application/vnd.oci.image.index.v1+json", "digest": "{DIGEST}", "size": 2}}, "image.name": "x/y:1"}}
EOF
echo built >&2
"""


@dataclass(frozen=True)
class Place:
    """Where a step or the command runs, with a docker that builds one image."""

    python: Path
    folder: Path
    environment: dict[str, str]

    def run(
        self, *command: str, redirection: str = "", without: Sequence[str] = (), prefix: Sequence[str] = (), **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in bash, with its streams redirected; the exit code is that of the program."""
        environment = {name: value for name, value in {**self.environment, **more}.items() if name not in without}
        script = f'"$@" {redirection}; exit "${{PIPESTATUS[0]}}"'
        return subprocess.run(
            [*prefix, "/bin/bash", "-c", script, "bash", *command],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def step(self) -> tuple[str, ...]:
        return (str(self.python), "-I", "-S", str(START), "build")

    def with_summary(self) -> dict[str, str]:
        """Variables of a step with a summary, which needs packages."""
        inputs = {**json.loads(self.environment["INPUTS"]), "summary": "true"}
        return {"INPUTS": json.dumps(inputs), "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md")}

    @property
    def outputs(self) -> dict[str, str]:
        return dict(read_github_output(self.folder / "outputs"))


@pytest.fixture
def place(bare_python: Path, run_cache: Path, tmp_path: Path) -> Place:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    (tmp_path / "outputs").touch()
    inputs = {"context": ".", "outputs": "type=image,name=x/y:1,push=true", "summary": "false", "provenance": "false"}
    environment = {
        "PATH": f"{docker.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "RUNNER_TOOL_CACHE": str(run_cache),
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "INPUTS": json.dumps(inputs),
    }
    return Place(bare_python, tmp_path, environment)


def test_a_step_imports_the_locked_packages_and_not_those_of_its_python(place: Place) -> None:
    # There a package of another version would be found first.
    python = place.folder / "venv/bin/python"
    subprocess.run([str(place.python), "-m", "venv", "--without-pip", str(python.parents[1])], check=True, timeout=60)
    (site,) = python.parents[1].glob("lib/*/site-packages")
    for name in ("pydantic", "msgspec", "actions_toolkit"):
        (site / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    done = place.run(str(python), *place.step[1:], PYTHONPATH=str(site), **NO_INDEX)
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.outputs["digest"] == DIGEST
    assert "::warning::" not in done.stdout


def test_a_step_does_not_use_damaged_packages_that_cannot_be_installed_again(place: Place, run_cache: Path) -> None:
    cache = place.folder / "cache"
    shutil.copytree(run_cache, cache)
    (models,) = cache.glob("build-digests/models-*")
    (models / "pydantic/__init__.py").write_text("raise SystemExit('used')")
    done = place.run(*place.step, RUNNER_TOOL_CACHE=str(cache), **NO_INDEX, **place.with_summary())
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.outputs["digest"] == DIGEST
    assert "::warning::the action's packages cannot be installed: " in done.stdout
    assert "used" not in done.stdout


NOBODY_KNOWS = 54321
"""A user that the system does not know."""

STREAMS = [">&-", "2>&-", "<&- >&- 2>&-", "> /dev/full", "| true", "> /dev/full 2>&1"]


@pytest.mark.parametrize("redirection", STREAMS)
def test_a_step_whose_output_is_closed_or_full_builds_and_sets_its_outputs(place: Place, redirection: str) -> None:
    done = place.run(*place.step, redirection=redirection)
    assert done.returncode == 0, done.stderr
    assert place.outputs["digest"] == DIGEST
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("redirection", STREAMS)
def test_a_step_that_fails_whose_output_is_closed_or_full_fails_without_a_traceback(
    place: Place, redirection: str
) -> None:
    done = place.run(*place.step, redirection=redirection, INPUTS='{"push": "perhaps"}')
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    done = place.run(*place.step[:-1], "no-step", redirection=redirection)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("redirection", STREAMS)
@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "--results", "results.json", "--", "-t", "x/y:1", "--push", "."],
        ["schema", "digests"],
        ["--help"],
        ["build"],
    ],
)
def test_the_command_with_output_that_is_closed_or_full_shows_no_traceback(
    place: Place, redirection: str, arguments: list[str]
) -> None:
    done = place.run(COMMAND, *arguments, redirection=redirection)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.returncode in {0, 1, 2}
    if arguments == ["schema", "digests"] and redirection == "> /dev/full":
        assert done.stderr == "error: standard output cannot be written: No space left on device\n"
        assert done.returncode == 1


def test_what_the_step_starts_writes_nothing_into_its_files_when_output_is_closed(place: Place) -> None:
    (place.folder / "bin" / "docker").write_text(DOCKER + "echo from docker\n")
    done = place.run(*place.step, redirection="<&- >&- 2>&-")
    assert done.returncode == 0
    assert "from docker" not in (place.folder / "outputs").read_text()


# Nobody can make a folder in /proc, root neither.
@pytest.mark.parametrize("temporary", ["/proc", "/nowhere", "", "/etc/passwd"])
def test_a_step_builds_without_a_usable_folder_for_temporary_files(place: Place, temporary: str) -> None:
    done = place.run(*place.step, RUNNER_TEMP=temporary)
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.outputs["digest"] == DIGEST
    results = Path(place.outputs["results"])
    assert json.loads(results.read_text())["digest"] == DIGEST
    results.unlink()
    results.parent.rmdir()


def test_the_command_builds_without_a_usable_folder_for_temporary_files(place: Place) -> None:
    done = place.run(COMMAND, "build", "--", "-t", "x/y:1", "--push", ".", RUNNER_TEMP="/proc")
    assert done.returncode == 0, done.stderr
    assert DIGEST in done.stdout


def as_user(user: int, script: str = ":") -> tuple[str, ...]:
    """A prefix with which a program runs as a user, in a mount namespace of its own that a script changes before."""
    namespace = ("unshare", "--user", f"--map-user={user}", "--mount")
    prefix = (*namespace, "/bin/sh", "-c", f'{script} && exec "$@"', "sh")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a mount namespace")
    return prefix


def test_the_command_and_a_step_say_what_to_set_where_no_temporary_folder_can_be_made(place: Place) -> None:
    # Of the folders that Python tries these exist here; the current one is the last.
    script = "for each in /tmp /var/tmp; do mount -t tmpfs -o ro none $each || exit 1; done; cd /proc"
    if any(ROOT.is_relative_to(folder) for folder in ("/tmp", "/var/tmp")):
        pytest.skip("this checkout is in the temporary folder that the test takes away")
    inputs = place.environment["INPUTS"]
    (ROOT / ".cache").mkdir(exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=ROOT / ".cache"))
    try:
        docker = fresh / "docker"
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        environment = {"PATH": f"{fresh}:/usr/bin:/bin", "INPUTS": inputs, "PYTHONPATH": str(ROOT)}
        for command in (("build", "--", "."), ("action", "build")):
            done = subprocess.run(
                [*as_user(0, script), sys.executable, "-m", "action", *command],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 1
            assert "Traceback" not in done.stderr
            said = done.stdout + done.stderr
            assert re.search(r"no temporary (file|folder) can be made \(.*\): set (RUNNER_TEMP or )?TMPDIR to", said)
    finally:
        shutil.rmtree(fresh)


def test_a_step_and_the_command_build_without_a_home_that_the_system_knows(place: Place) -> None:
    prefix = as_user(NOBODY_KNOWS)
    for command in (place.step, (COMMAND, "build", "--", "-t", "x/y:1", "--push", ".")):
        done = place.run(*command, prefix=prefix, without=("HOME",))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    assert place.outputs["digest"] == DIGEST
    (place.folder / "outputs").write_text("")
    without = ("HOME", "RUNNER_TOOL_CACHE", "RUNNER_TEMP")
    done = place.run(*place.step, prefix=prefix, without=without, **place.with_summary())
    assert done.returncode == 0, done.stdout
    assert place.outputs["digest"] == DIGEST
    (warning,) = [line for line in done.stdout.splitlines() if line.startswith("::warning::")]
    assert warning.startswith(
        "::warning::there is no folder to install the action's packages in: set RUNNER_TOOL_CACHE"
    )


def test_without_a_home_docker_reads_no_configuration_of_the_workspace(place: Place) -> None:
    (place.folder / "bin" / "docker").write_text("#!/bin/sh\necho $DOCKER_CONFIG >&2\nexit 1\n")
    prefix = as_user(NOBODY_KNOWS)
    done = place.run(*place.step, prefix=prefix, without=("HOME",))
    assert f"{place.folder}/.docker\n" in done.stdout
    assert "/.docker" not in place.run(*place.step).stdout


@pytest.mark.usefixtures("sigint_ends")
@pytest.mark.parametrize("kind", ["step", "command"])
def test_sigint_while_a_step_or_the_command_still_imports_ends_it_without_a_traceback(place: Place, kind: str) -> None:
    command = place.step if kind == "step" else (COMMAND, "schema", "digests")
    ended_early = 0
    for delay in range(0, 60, 6):
        process = subprocess.Popen(
            command, env=place.environment, cwd=place.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_for_our_first_line(process.pid)
        time.sleep(delay / 1000)
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=30)
        assert "Traceback" not in said
        ended_early += process.returncode == -signal.SIGINT and not printed
    assert ended_early > 2


def wait_for_our_first_line(pid: int) -> None:
    """Wait until Python has taken SIGINT over, and our code has given it back to the system."""
    bit = 1 << (signal.SIGINT - 1)
    taken = False
    end = time.monotonic() + 20
    while time.monotonic() < end:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        (caught,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt"))
        if taken and not caught & bit:
            return
        taken = taken or bool(caught & bit)
    raise TimeoutError
