"""Wrong calls of the command with their messages and exit codes, in a file that reads as a review of the messages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.golden_files import assert_golden
from tests.unit import command_line

DIGEST = "sha256:" + "a" * 64

_CALLS = {
    "Commands": ("bild", "promte", "digest", "-v"),
    "Options": (
        "--verfy",
        "--verify build -- .",
        "--nonsense",
        "validate --shema results results.json",
        "validate --verbose results.json",
        "validate --schema",
        "inspect --push=yes metadata.json",
        "merge jobs --dry --tag localhost:5000/app:1",
    ),
    "build and bake": (
        "build",
        "build --",
        "build --verfy -- .",
        "build --verfy .",
        "build --formt json -- .",
        "build --nonsense -- .",
        "build --format xml -- .",
        "build --format jsn -- .",
        "build --results -- .",
        "build --results folder -- .",
        "build --verify=yes -- .",
        "build -- --verify .",
        "build -- --verfy .",
        "build --dry-run -- --result r.json .",
        "build -- --tag",
        "build -- --output type=oci,id=1,dest=app.tar .",
        "build -- --output type=image,id=a,name=x --output type=oci,id=a,dest=app.tar .",
        "build -- --output dest=app.tar .",
        "build --format dotenv -- --output type=oci,id=a.b,dest=a.tar --output type=oci,id=a-b,dest=b.tar .",
        "bake --require-digest -- app",
        "bake -- --require-digests app",
        "bake -- --print",
        "bake -- --list=targets",
    ),
    "merge": (
        "merge",
        "merge jobs",
        "merge jobs --tag",
        "merge none --tag localhost:5000/app:1",
        "merge text.txt --tag localhost:5000/app:1",
        "merge folder --tag localhost:5000/app:1",
        "merge folder --tag 'My App'",
        "merge folder --tag localhost:5000/app:1 --retries many",
        "merge folder --tag localhost:5000/app:1 --retry-delay soon",
        "merge folder --tag localhost:5000/app:1 --expect-platforms amd64,,arm64/v8/x/y",
        "merge jobs --tag localhost:5000/app:1 --key release",
        "merge jobs --tag localhost:5000/app:1 --target web",
        "merge jobs --tag localhost:5000/app:1 --annotation title",
    ),
    "promote": (
        "promote",
        "promote results.json",
        "promote localhost:5000/app:1 --tag localhost:5000/app:2",
        "promote none.json --tag localhost:5000/app:2",
        "promote folder --tag localhost:5000/app:2",
        "promote empty.json --tag localhost:5000/app:2",
        "promote results.json --tag localhost:5000/app:2 --key release",
        "promote results.json --tag 'My App'",
        "promote results.json --refers --tag localhost:5000/app:2",
    ),
    "inspect": (
        "inspect",
        "inspect none.json",
        "inspect folder",
        "inspect empty.json",
        "inspect nothing.json",
        "inspect text.txt",
        "inspect cut.json",
        "inspect results.json",
        "inspect metadata.json",
        "inspect metadata.json another.json",
        "inspect metadata.json --push --record none.dockerbuild",
        "inspect metadata.json --push --record text.txt",
        "inspect metadata.json --output dest=app.tar",
        "inspect metadata.json --outputs type=image",
    ),
    "validate and schema": (
        "validate",
        "validate none.json",
        "validate folder",
        "validate empty.json",
        "validate nothing.json",
        "validate text.txt",
        "validate cut.json",
        "validate twice.json",
        "validate wrong.json",
        "validate --schema result results.json",
        "schema",
        "schema metdata",
        "schema results digests",
    ),
    "action": ("action", "action deploy", "action build extra", "action build"),
    "The machine": (
        "PATH=nothing build-digests build -- .",
        "PATH=nothing build-digests build -- --help",
        "PATH=nothing build-digests bake --dry-run -- --help",
        "PATH=docker-without-buildx build-digests build -- --push .",
        "PATH=docker-without-buildx build-digests build -- --help",
        "PATH=docker-without-buildx build-digests bake --verify",
    ),
}
"""Calls as typed; each is run in a folder with the files of `_prepare`."""

# As docker 28.2 without the plugin: `docker buildx version` fails, and `docker buildx build` prints docker's own usage.
_DOCKER = """#!/bin/sh
[ "$2" = version ] || { printf 'unknown flag: --metadata-file\\n\\nUsage:  docker [OPTIONS] COMMAND\\n' >&2; exit 125; }
printf 'docker: unknown command: docker buildx\\n\\nRun '"'docker --help'"' for more information\\n' >&2
exit 1
"""


def _prepare(folder: Path) -> None:
    (folder / "folder").mkdir()
    (folder / "jobs").mkdir()
    exporter = {
        **dict.fromkeys(("id", "dest", "size", "descriptor")),
        **dict.fromkeys(("digest", "imageid"), DIGEST),
        "key": "0",
        "index": 0,
        "type": "image",
        "names": ["localhost:5000/app"],
        "push": True,
        "platforms": [{"platform": "linux/amd64", "digest": DIGEST, "imageid": DIGEST, "size": None}],
        "evidence": "response",
    }
    results = {"version": 1, "ref": "b/n/r", "digest": DIGEST, "imageid": DIGEST, "exporters": [exporter]}
    texts = {
        "jobs/amd64.json": json.dumps(results),
        "results.json": json.dumps(results),
        "metadata.json": json.dumps({"containerimage.digest": DIGEST, "buildx.build.ref": "b/n/r"}),
        "empty.json": "{}",
        "nothing.json": "",
        "text.txt": "Hello, world\n",
        "cut.json": '{"containerimage.digest": "sha256:',
        "twice.json": f'{{"a": "{DIGEST}",\n "a": "{DIGEST}"}}',
        "wrong.json": json.dumps({"containerimage.digest": "latest", "buildx.build.ref": "b/n/r"}),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "bin").mkdir()
    (folder / "bin/docker").write_text(_DOCKER, encoding="utf-8")
    (folder / "bin/docker").chmod(0o755)


def _run(call: str, folder: Path) -> command_line.Ended:
    # Not in the folder itself: programs of the working folder are not run.
    programs = folder / ("bin" if call.startswith("PATH=docker") else "nothing")
    quoted = re.findall(r"'([^']*)'|(\S+)", re.sub(r"^PATH=\S+ build-digests ", "", call))
    arguments = [one or other for one, other in quoted]
    environment = {"PATH": f"{programs}:/bin", "HOME": str(folder), "DOCKER_CONFIG": str(folder), "COLUMNS": "80"}
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return command_line.command(*arguments, folder=work, environment=environment)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, command_line.Ended]:
    folder = tmp_path_factory.mktemp("calls")
    work = folder / "work"
    work.mkdir()
    _prepare(work)
    (work / "bin").rename(folder / "bin")
    return {call: _run(call, folder) for calls in _CALLS.values() for call in calls}


def test_wrong_calls_and_their_messages(ended: dict[str, command_line.Ended]) -> None:
    lines = [
        "# Wrong calls",
        "",
        "What `build-digests` prints for calls that are wrong, with the exit code in square brackets.",
    ]
    for title, calls in _CALLS.items():
        lines += ["", f"## {title}", "", "```console"]
        for number, call in enumerate(calls):
            done = ended[call]
            typed = call if call.startswith("PATH=") else f"build-digests {call}"
            lines += [*([""] if number else []), f"$ {typed}", *(done.stdout + done.stderr).splitlines()]
            lines.append(f"[{done.returncode}]")
        lines.append("```")
    assert_golden("wrong_calls.md", "\n".join(lines) + "\n")


def test_there_are_fifty_and_each_prints_one_line_or_a_line_per_fault(ended: dict[str, command_line.Ended]) -> None:
    assert len(ended) >= 50
    for call, done in ended.items():
        printed = (done.stdout + done.stderr).splitlines()
        assert 1 <= len(printed) <= 3, call
        assert not any(line.startswith(("Usage", "Try", "Error")) for line in printed), call


def test_wrong_usage_is_exit_code_2_and_nothing_is_on_standard_output(ended: dict[str, command_line.Ended]) -> None:
    for call, done in ended.items():
        if done.stderr.startswith("error: --"):
            assert (done.returncode, done.stdout) == (2, ""), call
