"""The launcher, run by Node as GitHub's runner runs it: it finds a Python, passes the inputs, and ends with it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from tests.processes import has_ended
from tests.programs.launching import LAUNCHER, ROOT, command, environment, input_variables, launch, recorded, recorder
from tests.programs.launching import program as write_program
from tests.starting import BAD_INPUT, NO_INDEX, real_python

ACTIONS = {
    "build": "action.yml",
    "bake": "bake/action.yml",
    "matrix": "bake/subaction/matrix/action.yml",
    "merge": "merge/action.yml",
    "promote": "promote/action.yml",
    "validate": "validate/action.yml",
}
NEEDED = "::error::Python 3.10 or later is needed"
ADVICE = ": run actions/setup-python before this step, or install it on the runner or in the image\n"
CACHE_SERVICE = {
    "ACTIONS_CACHE_MODE": "readwrite",
    "ACTIONS_CACHE_SERVICE_V2": "True",
    "ACTIONS_CACHE_URL": "http://127.0.0.1:9/cache/",
    "ACTIONS_RESULTS_URL": "http://127.0.0.1:9/results/",
    "ACTIONS_RUNTIME_TOKEN": "token-of-the-cache-service",
    "ACTIONS_RUNTIME_URL": "http://127.0.0.1:9/runtime/",
}


@pytest.mark.parametrize(("step", "file"), ACTIONS.items())
def test_each_action_is_one_of_javascript_that_starts_its_own_step(tmp_path: Path, step: str, file: str) -> None:
    runs = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["runs"]
    assert set(runs) == {"using", "main"}
    assert runs["using"] == "node24"
    main = (ROOT / file).parent / runs["main"]
    assert main.resolve() == LAUNCHER / f"{step}.js"
    recorder(tmp_path / "bin/python3", tmp_path / "report")
    done = launch(tmp_path / "bin", step)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    start = str(ROOT / "action" / "start.py")
    assert recorded(tmp_path / "report")["arguments"][1:] == ["-I", "-S", start, step, "--launched"]


def test_inputs_go_through_the_pipe_under_the_names_of_the_runner_and_not_into_the_environment(tmp_path: Path) -> None:
    recorder(tmp_path / "bin/python3", tmp_path / "report")
    # actions/runner 2.336, Handler.cs: upper case, `_` for a space, and a hyphen stays.
    variables = {
        "INPUT_BUILD-ARGS": 'A=1\nB="2" \\ ä 🐍',
        "INPUT_PUSH": "true",
        "INPUT_WITH_SPACE": "",
        "INPUTS": "kept",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:9/id",
    }
    done = launch(tmp_path / "bin", **variables, **CACHE_SERVICE)
    assert done.returncode == 0, done.stderr
    report = recorded(tmp_path / "report")
    assert report["line"] == {
        "inputs": {"build-args": 'A=1\nB="2" \\ ä 🐍', "push": "true", "with_space": ""},
        "variables": CACHE_SERVICE,
    }
    given = set(report["environment"]) - {"LC_CTYPE"}
    assert given == {"PATH", "GITHUB_WORKSPACE", "INPUTS", "ACTIONS_ID_TOKEN_REQUEST_URL"}


@pytest.mark.parametrize("code", [0, 1, 2, 77])
def test_the_exit_code_is_that_of_the_step(tmp_path: Path, code: int) -> None:
    recorder(tmp_path / "bin/python3", tmp_path / "report", code)
    assert launch(tmp_path / "bin").returncode == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_step_that_a_signal_ended_gives_128_and_its_number(tmp_path: Path, number: signal.Signals) -> None:
    write_program(tmp_path / "bin/python3", f"kill -{number} $$")
    assert launch(tmp_path / "bin").returncode == 128 + number


# The search for Python


def test_without_a_python_one_line_says_what_to_do(tmp_path: Path) -> None:
    for path in (str(tmp_path), "", "/nowhere"):
        done = launch(path, RUNNER_TOOL_CACHE=str(tmp_path / "nowhere"))
        assert (done.stdout, done.stderr, done.returncode) == (NEEDED + ADVICE, "", 1)


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.8", "3.9"])
def test_an_old_python_alone_is_named_in_that_line(tmp_path: Path, version: str) -> None:
    old = real_python(version)
    if old is None:
        pytest.skip(f"there is no Python {version} on this machine")
    name = "python" if version == "2.7" else "python3"
    (tmp_path / name).symlink_to(old)
    done = launch(tmp_path)
    assert (done.stdout, done.returncode) == (f"{NEEDED} ({tmp_path / name} is older){ADVICE}", 1)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 86", "is older"),
        ("exit 87", "lacks modules of the standard library, as Debian's python3-minimal does"),
        ("exit 127", "does not start Python"),
        ("exit 126", "does not start Python"),
        # As the dynamic linker (glibc 2.36) if a library is too old.
        ("exit 1", "does not start"),
        ("#!/nowhere/python3\n", "cannot be started (ENOENT)"),
        ("#!/nowhere\n", "cannot be started (ENOENT)"),
        ("#!/\n", "cannot be started (EACCES)"),
    ],
)
def test_a_program_that_is_no_usable_python_is_left_out_and_the_next_one_runs(
    tmp_path: Path, script: str, reason: str
) -> None:
    bad = write_program(tmp_path / "bad/python3", script)
    done = launch(bad.parent)
    assert (done.stdout, done.returncode) == (f"{NEEDED} ({bad} {reason}){ADVICE}", 1)
    recorder(tmp_path / "good/python", tmp_path / "report")
    assert launch(f"{bad.parent}:{tmp_path / 'good'}").returncode == 0
    assert recorded(tmp_path / "report")["arguments"][0] == str(tmp_path / "good/python")


def test_a_python_without_its_whole_standard_library_is_left_out(tmp_path: Path, bare_python: Path) -> None:
    # As Debian's python3-minimal, which has no json. The action's own folder is searched first.
    for name in ("launcher", "action"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "json.py").write_text("raise ModuleNotFoundError(\"No module named 'json'\", name='json')")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to(bare_python)
    done = launch(tmp_path / "bin", "build", None, tmp_path / "launcher")
    reason = "lacks modules of the standard library, as Debian's python3-minimal does"
    assert (done.stdout, done.stderr) == (f"{NEEDED} ({tmp_path}/bin/python3 {reason}){ADVICE}", "")
    started = subprocess.run(
        [str(bare_python), "-I", "-S", str(tmp_path / "action/start.py"), "build"],
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert re.fullmatch(
        r"::error::\S+ lacks json of the standard library: install all of Python, .*\n", started.stdout
    ), started.stderr


_NODE_16 = """
for (const [type, names] of [
  [Array, ["at", "findLast", "findLastIndex", "toReversed", "toSorted", "toSpliced", "with"]],
  [String, ["at", "isWellFormed", "toWellFormed"]],
]) {
  for (const name of names) { delete type.prototype[name]; }
}
for (const name of ["hasOwn", "groupBy"]) { delete Object[name]; }
"""


def test_an_older_node_which_act_may_find_runs_the_launcher(tmp_path: Path) -> None:
    # act runs an action of node24 with whichever node the container has. Here the locked one lacks what came later.
    (tmp_path / "older.js").write_text(_NODE_16)
    _in_tool_cache(tmp_path / "cache", "3.12.1", tmp_path / "report")
    variables = {"NODE_OPTIONS": f"--require {tmp_path}/older.js", "RUNNER_TOOL_CACHE": str(tmp_path / "cache")}
    done = launch("", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "report").exists()


def test_python_2_with_the_name_python_is_left_out(tmp_path: Path) -> None:
    # Python 2 takes -I for bad usage and ends with 2, the exit code of a step with bad inputs.
    write_program(tmp_path / "bin/python", '[ "$1" = -E ] && exit 77; exit 2')
    done = launch(tmp_path / "bin")
    assert (done.stdout, done.returncode) == (f"{NEEDED} ({tmp_path}/bin/python is older){ADVICE}", 1)


def test_what_cannot_be_run_is_no_python(tmp_path: Path) -> None:
    (tmp_path / "folder/python3").mkdir(parents=True)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/python3").write_text("#!/bin/sh\n")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/python3").symlink_to(tmp_path / "nowhere")
    recorder(tmp_path / "good/python3", tmp_path / "report")
    done = launch(":".join(str(tmp_path / name) for name in ("folder", "plain", "broken", "good")))
    assert done.returncode == 0, done.stdout


def test_a_path_in_the_error_cannot_become_a_command(tmp_path: Path) -> None:
    write_program(tmp_path / "a%0A\n,x/python3", "exit 86")
    done = launch(tmp_path / "a%0A\n,x")
    (line,) = done.stdout.splitlines()
    assert "a%250A%0A,x/python3 is older" in line


def _in_tool_cache(cache: Path, version: str, report: Path, processor: str = "x64") -> Path:
    return recorder(cache / "Python" / version / processor / "bin" / "python3", report)


def test_the_newest_python_of_the_tool_cache_is_used_by_its_number(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for version in ("3.9.20", "3.10.9", "3.12.3", "3.12.10", "3.14.0-rc.1", "2.7.18", "latest"):
        _in_tool_cache(cache, version, tmp_path / version)
    write_program(tmp_path / "bin/python3", "exit 86")
    assert launch(tmp_path / "bin", RUNNER_TOOL_CACHE=str(cache)).returncode == 0
    assert [each.name for each in tmp_path.glob("[23].*")] == ["3.12.10"]


def test_the_tool_cache_is_searched_if_path_has_no_usable_python_and_not_before(tmp_path: Path) -> None:
    _in_tool_cache(tmp_path / "cache", "3.14.0", tmp_path / "cached")
    recorder(tmp_path / "bin/python", tmp_path / "found")
    assert launch(tmp_path / "bin", RUNNER_TOOL_CACHE=str(tmp_path / "cache")).returncode == 0
    assert (tmp_path / "found").exists()
    assert not (tmp_path / "cached").exists()


def test_a_python_of_this_processor_is_preferred(tmp_path: Path) -> None:
    own, other = ("arm64", "x64") if os.uname().machine in {"aarch64", "arm64"} else ("x64", "arm64")
    for processor in (own, other, f"{own}-freethreaded"):
        _in_tool_cache(tmp_path / "cache", "3.12.1", tmp_path / processor, processor)
    _in_tool_cache(tmp_path / "cache", "3.12.0", tmp_path / "older", own)
    assert launch("", RUNNER_TOOL_CACHE=str(tmp_path / "cache")).returncode == 0
    assert (tmp_path / own).exists()
    assert not {each.name for each in tmp_path.iterdir()} & {other, "older", f"{own}-freethreaded"}


@pytest.mark.parametrize("place", ["a folder", "a link to a folder", "a relative path", "a link to a program", "."])
def test_no_python_of_the_workspace_is_run(tmp_path: Path, place: str) -> None:
    workspace = tmp_path / "workspace"
    for folder in (workspace, workspace / "bin"):
        for name in ("python3", "python"):
            recorder(folder / name, tmp_path / "evil")
    _in_tool_cache(workspace, "3.14.0", tmp_path / "evil")
    (tmp_path / "link").symlink_to(workspace / "bin")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/python3").symlink_to(workspace / "python3")
    (tmp_path / "real workspace").symlink_to(workspace)
    path = {
        "a folder": f"{workspace / 'bin'}:{workspace}:{workspace}/../workspace/bin",
        "a link to a folder": str(tmp_path / "link"),
        "a relative path": "bin:./bin:../workspace/bin",
        "a link to a program": str(tmp_path / "links"),
        ".": ".::",
    }[place]
    recorder(tmp_path / "good/python3", tmp_path / "good/report")
    for named in (workspace, tmp_path / "real workspace"):
        places = {"GITHUB_WORKSPACE": str(named), "RUNNER_TOOL_CACHE": str(workspace)}
        alone = launch(path, "build", workspace, **places)
        assert (alone.stdout, alone.returncode) == (NEEDED + ADVICE, 1)
        assert launch(f"{path}:{tmp_path / 'good'}", "build", workspace, **places).returncode == 0
    assert not (tmp_path / "evil").exists()
    assert recorded(tmp_path / "good/report")["folder"] == str(workspace)


def test_a_folder_beside_the_workspace_whose_name_begins_like_it_is_outside(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    recorder(tmp_path / "app-tools/python3", tmp_path / "report")
    assert launch(tmp_path / "app-tools", GITHUB_WORKSPACE=str(tmp_path / "app")).returncode == 0


def test_a_workspace_that_is_the_root_excludes_nothing(tmp_path: Path) -> None:
    recorder(tmp_path / "bin/python3", tmp_path / "report")
    assert launch(tmp_path / "bin", GITHUB_WORKSPACE="/").returncode == 0


# Files that others left


def test_a_module_type_of_a_folder_above_the_action_has_no_effect(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copytree(LAUNCHER, tmp_path / "action/launcher")
    assert launch("", "build", None, tmp_path / "action/launcher").stdout == NEEDED + ADVICE


def test_modules_of_the_workspace_are_not_loaded(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    for name in ("fs", "os", "path", "child_process", "node:fs", "main.js"):
        (workspace / "node_modules" / name).mkdir(parents=True)
        (workspace / "node_modules" / name / "index.js").write_text("throw new Error('loaded')")
        (workspace / f"{name}.js").write_text("throw new Error('loaded')")
    (workspace / "package.json").write_text('{"type": "module", "main": "fs.js"}')
    (workspace / "sitecustomize.py").write_text("raise SystemExit('loaded')")
    (workspace / "json.py").write_text("raise SystemExit('loaded')")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to(os.path.realpath(sys.executable))
    variables = {"GITHUB_WORKSPACE": str(workspace), "PYTHONPATH": str(workspace), "INPUT_PUSH": "perhaps"}
    done = launch(tmp_path / "bin", "build", workspace, RUNNER_TOOL_CACHE=str(tmp_path / "cache"), **variables)
    assert "loaded" not in done.stdout + done.stderr


# Real steps


Docker = Callable[[str], Path]
_DOCKER = """
cd {folder}
case "$1 $2" in
  "buildx version") echo "github.com/docker/buildx v0.29.1 none" ;;
  "buildx bake") case "$*" in
      *--print*) echo '{{"target": {{"app": {{"context": "."}}}}}}' ;;
      *) building=1 ;;
    esac ;;
  "buildx build") building=1 ;;
esac
{{ echo "$*"; /usr/bin/env; }} > "call.$$.${{building:-0}}"
if [ "$building" ]; then
  {script}
  exit 1
fi
"""


@pytest.fixture
def docker(tmp_path: Path, bare_python: Path) -> Docker:
    """Write a docker that records its environment, and runs a script in place of a build; return its folder."""

    def write(script: str) -> Path:
        write_program(tmp_path / "bin/docker", _DOCKER.format(folder=tmp_path, script=script))
        (tmp_path / "bin/python3").symlink_to(bare_python)
        return tmp_path / "bin"

    return write


def _cached(tool_cache: Path) -> dict[str, str]:
    """Variables with which the package index is not asked."""
    return {"RUNNER_TOOL_CACHE": str(tool_cache), **NO_INDEX}


def _calls(folder: Path, *, building: bool) -> list[str]:
    return [each.read_text() for each in folder.glob(f"call.*.{int(building)}")]


def test_a_step_needs_no_bash_and_no_other_program_in_path(tmp_path: Path, bare_python: Path) -> None:
    (tmp_path / "python3").symlink_to(bare_python)
    done = launch(tmp_path, RUNNER_TOOL_CACHE=str(tmp_path / "cache"), INPUT_PUSH="perhaps")
    assert (done.stdout, done.returncode) == (BAD_INPUT, 2), done.stderr


def test_300_kb_of_inputs_reach_buildx(docker: Docker, own_tool_cache: Path, tmp_path: Path) -> None:
    # One variable can hold 128 KiB at the most (MAX_ARG_STRLEN), for the runner too.
    texts = {name: f"KEY={character * 100_000}" for name, character in (("labels", "l"), ("tags", "t"))}
    lines = "\n".join(f"ARG{number}={'ä' * 500}" for number in range(100))
    path = docker('printf "%s\\n" "$@" > arguments')
    inputs = {"context": ".", "summary": "false", **texts, "build-args": lines}
    done = launch(path, **_cached(own_tool_cache), **input_variables(inputs))
    given = (tmp_path / "arguments").read_text().splitlines()
    assert texts["labels"] in given, done.stdout
    assert texts["tags"] in given
    assert set(lines.split("\n")) <= set(given)


@pytest.mark.parametrize(("step", "source"), [("build", "context"), ("bake", "source")])
def test_the_token_of_the_cache_service_is_masked_and_reaches_the_build_alone(
    docker: Docker, own_tool_cache: Path, tmp_path: Path, step: str, source: str
) -> None:
    path = docker("/usr/bin/tr '\\0' '\\n' < /proc/$PPID/environ > step; echo begin $ACTIONS_RUNTIME_TOKEN")
    inputs = {source: ".", "secrets": "KEY=hunter2hunter2", "github-token": "ghs_of_this_test", "summary": "false"}
    done = launch(path, step, **_cached(own_tool_cache), **input_variables(inputs), **CACHE_SERVICE)
    assert f"::add-mask::{CACHE_SERVICE['ACTIONS_RUNTIME_TOKEN']}\n" in done.stdout.partition("begin")[0], done.stderr
    (build,) = _calls(tmp_path, building=True)
    assert {f"{name}={value}" for name, value in CACHE_SERVICE.items()} <= set(build.splitlines())
    assert "INPUT_" not in build
    others = _calls(tmp_path, building=False)
    assert others or step == "build"
    # What Python was started with stays readable for other programs of the user.
    started = (tmp_path / "step").read_text()
    assert "RUNNER_TOOL_CACHE=" in started
    assert not re.search("hunter2|ghs_of_this_test", started)
    assert not [each for each in (started, *others) if re.search("ACTIONS_|INPUT", each)]


@pytest.mark.parametrize("arguments", [["action", "bake"], ["bake", "--", "app"]])
def test_the_build_gets_the_cache_service_of_a_terminal_and_other_programs_do_not(
    docker: Docker, tmp_path: Path, arguments: list[str]
) -> None:
    path = docker("")
    subprocess.run(
        [sys.executable, "-m", "action", *arguments],
        env={"PATH": str(path), "PYTHONPATH": str(ROOT), "INPUTS": '{"source": "."}', **CACHE_SERVICE},
        capture_output=True,
        timeout=60,
        check=False,
    )
    (build,) = _calls(tmp_path, building=True)
    assert {f"{name}={value}" for name, value in CACHE_SERVICE.items()} <= set(build.splitlines())
    others = _calls(tmp_path, building=False)
    assert others
    assert not [each for each in others if "ACTIONS_" in each]


def test_the_standard_input_of_buildx_is_empty(docker: Docker, own_tool_cache: Path, tmp_path: Path) -> None:
    path = docker("/bin/cat > stdin")
    launch(path, **_cached(own_tool_cache), INPUT_CONTEXT=".")
    assert (tmp_path / "stdin").read_bytes() == b""


def test_the_runner_alone_warns_of_undeclared_inputs(docker: Docker, run_cache: Path) -> None:
    # INPUT_TAG may as well be a variable of the job.
    done = launch(docker(""), **_cached(run_cache), INPUT_CONTEXT=".", INPUT_TAG="x")
    assert "::warning::" not in done.stdout


# Signals and the end of the launcher

WAITS = """#!{python} -IS
import signal, sys, time
got = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _frame: got.append(number))
sys.stdin.readline()
open({ready!r}, "w").close()
end = time.monotonic() + 20
while not got and time.monotonic() < end:
    time.sleep(0.01)
time.sleep(0.3)
print(got)
sys.exit(3)
"""


@contextmanager
def _running(path: Path, ready: Path, /, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run the launcher in a process group of its own until a file is there."""
    with subprocess.Popen(
        command(),
        env=environment(path, **variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            end = time.monotonic() + 60
            while not ready.exists():
                assert process.poll() is None, process.stdout and process.stdout.read()
                assert time.monotonic() < end
                time.sleep(0.02)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("whole_group", [False, True])
def test_a_signal_reaches_the_step_once(tmp_path: Path, number: signal.Signals, *, whole_group: bool) -> None:
    ready = tmp_path / "ready"
    write_program(tmp_path / "bin/python3", WAITS.format(python=os.path.realpath(sys.executable), ready=str(ready)))
    with _running(tmp_path / "bin", ready) as process:
        if whole_group:
            # As a terminal does at Ctrl-C.
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        output, _ = process.communicate(timeout=30)
    assert output == f"[{number.value}]\n"
    assert process.returncode == 3


def test_a_cancelled_step_cancels_buildx_and_ends_with_its_signal(
    docker: Docker, own_tool_cache: Path, tmp_path: Path
) -> None:
    path = docker("trap 'echo cancelled; exit 1' INT\n: > ready\nwhile :; do /bin/sleep 0.05; done")
    with _running(path, tmp_path / "ready", **_cached(own_tool_cache), INPUT_CONTEXT=".") as process:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert "cancelled" in output
    assert "Traceback" not in output
    assert process.returncode == 128 + signal.SIGINT


def test_a_killed_launcher_ends_its_step_and_buildx(docker: Docker, own_tool_cache: Path, tmp_path: Path) -> None:
    path = docker(f"trap 'echo cancelled > {tmp_path}/end; exit 1' TERM\n: > ready\nwhile :; do /bin/sleep 0.05; done")
    with _running(path, tmp_path / "ready", **_cached(own_tool_cache), INPUT_CONTEXT=".") as process:
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        process.kill()
        process.wait(30)
        # Each call waits two seconds; what the step does after the build may take longer on a busy machine.
        assert all(any(has_ended(each.pid) for _ in range(15)) for each in children)
    assert (tmp_path / "end").exists()


def test_a_launcher_that_is_killed_before_it_has_written_all_ends_its_step(bare_python: Path) -> None:
    done = subprocess.run(
        [str(bare_python), "-I", "-S", str(ROOT / "action/start.py"), "build", "--launched"],
        env={"PATH": ""},
        input='{"inputs": {"push": "tr',
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("::error::the launcher ended before it had passed the inputs\n", 1)
