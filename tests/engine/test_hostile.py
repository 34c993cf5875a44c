"""Text from outside, made to be taken for a command, an output or markup, through whole steps."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.engine.conftest import Step, Workplace, lines
from tests.engine.other_end import served_digest
from tests.unit.report.rendered import Page, html

INJECTED = "sha256:" + "6" * 64
HOSTILE = (
    f"::set-output name=digest::{INJECTED}",
    f"##[set-output name=digest]{INJECTED}",
    f"%0A::set-output name=digest::{INJECTED}",
    "::stop-commands::x",
    "::add-mask::a",
    "\x1b[31mred\x1b[0m",
    "\u202egnp.exe",
    "EOF",
    "digest<<ghadelimiter_00000000-0000-0000-0000-000000000000",
    "ghadelimiter_00000000-0000-0000-0000-000000000000",
    "</code></td></tr></table><script>alert(1)</script>",
    "| a | b |",
    "<!-- build-digests ",
    "``` ~~~ `x`",
)
ONE_LINE = " ".join(HOSTILE)
_TITLE = re.compile(r"::(?:group|endgroup|warning|error|notice)(?: [a-z]+=[^,:]*(?:,[a-z]+=[^,:]*)*)?::")


@pytest.fixture
def summary(work: Workplace) -> Path:
    file = work.folder / "summary.md"
    work.environment = {
        **work.environment,
        "GITHUB_STEP_SUMMARY": str(file),
        "GITHUB_WORKSPACE": str(work.folder),
        "GITHUB_REPOSITORY": "octo/app",
        "PYTHONIOENCODING": "utf-8",
    }
    return file


def commands(log: str) -> list[str]:
    """The lines of a log that the runner takes for commands (actions/runner, ActionCommandManager.cs)."""
    found: list[str] = []
    token: str | None = None
    for line in re.split(r"\r\n|\n|\r", log):
        text = line.strip()
        if token is not None:
            if text == f"::{token}::":
                token = None
            continue
        if text.startswith("::stop-commands::"):
            token = text.removeprefix("::stop-commands::")
        elif text.startswith("::") or "##[" in text:
            found.append(text)
    assert token is None
    return found


def check_log(step: Step) -> None:
    """Outside of what is stopped, the only commands are those that a step gives."""
    for command in commands(step.log):
        assert _TITLE.match(command), command
        assert "\x1b" not in command


def check_summary(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    page = Page(html(text))
    known = {"h3", "h4", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "details", "summary", "pre", "br"}
    assert set(page.elements) <= known
    assert page.attributes <= {"title", "class"}
    assert page.comments == []
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)


@pytest.mark.usefixtures("busybox")
def test_nothing_in_a_build_is_taken_for_an_output(work: Workplace, summary: Path) -> None:
    name = "::set-output name=digest::x%0A \u202e.txt"
    (work.folder / name).write_text("x")
    # What it prints: each by itself at the start of a line, after a bare carriage return, and a line of a megabyte.
    (work.folder / "print").write_text("".join(f"{each}\r{each}\n" for each in HOSTILE) + "x" * 1_000_000 + "\n")
    (work.folder / "Dockerfile").write_text(
        "FROM scratch\n"
        "ARG HOSTILE\n"
        "COPY busybox /bin/busybox\n"
        "COPY print /print\n"
        f"COPY {json.dumps([name, '/a/'], ensure_ascii=False)}\n"
        f"RUN {json.dumps(['/bin/busybox', 'cat', '/print'])}\n"
        f"RUN {json.dumps(['/bin/busybox', 'echo', ONE_LINE], ensure_ascii=False)}\n"
    )
    step = work.step(
        outputs=f"type=image,name={work.image}:1,push=true,id=release",
        network="none",
        labels=lines(*(f"l{place}={each}" for place, each in enumerate(HOSTILE)), f'"m=a\n{HOSTILE[0]}"'),
        annotations=lines(*(f"manifest:a{place}={each}" for place, each in enumerate(HOSTILE))),
        build_args=lines(f"HOSTILE={ONE_LINE}", "LONG=" + "x" * 60_000),
        require_digests="true",
    )
    assert step.code == 0, step.log[-3000:]
    assert f"{HOSTILE[0]}\n" in step.log
    digest = served_digest(work.image, "1")
    assert step.outputs["digest"] == digest
    assert step.digests == {"release": digest}
    assert INJECTED not in "".join(value for key, value in step.outputs.items() if key != "metadata")
    assert set(step.outputs) <= {
        *(
            "digest",
            "imageid",
            "metadata",
            "digests",
            "imageids",
            "exporters",
            "caches",
            "ref",
            "refs",
            "checksums",
            "results",
        ),
    }
    assert json.loads(step.outputs["metadata"])["containerimage.digest"] == digest
    check_log(step)
    check_summary(summary)


@pytest.mark.usefixtures("busybox")
def test_a_step_that_fails_says_nothing_but_that(work: Workplace, summary: Path) -> None:
    (work.folder / "print").write_text("\n".join(HOSTILE) + "\n" + "y" * 1_000_000 + "\n" + "\n".join(HOSTILE) + "\n")
    (work.folder / "Dockerfile").write_text(
        "FROM scratch\nCOPY busybox /bin/busybox\nCOPY print /print\n"
        f"RUN {json.dumps(['/bin/busybox', 'sh', '-c', f'/bin/busybox cat /print; exit 7; # {ONE_LINE}'])}\n"
    )
    step = work.step(outputs=f"type=image,name={work.image}:1,push=true", network="none")
    assert step.code == 1
    assert "digest" not in step.outputs
    assert step.digests == {}
    assert HOSTILE[1] in step.log
    assert "exit code: 7" in summary.read_text().replace("&#58;", ":")
    assert re.search("^::error::.*exit code: 7", step.log, re.MULTILINE)
    check_log(step)
    check_summary(summary)


def test_warnings_of_checks_are_annotations_and_nothing_else(work: Workplace, summary: Path) -> None:
    stages = "".join(f"FROM scratch as a{place}\n# {each}\n" for place, each in enumerate(HOSTILE))
    (work.folder / "Dockerfile").write_text(
        f"{stages}FROM scratch\nCOPY hello.txt /\nENV a ::set-output-name=digest::x\u202e\n"
        "LABEL b ##[error]x%0A::error::y\n"
        "ENTRYPOINT ::set-output name=digest::x ##[set-output name=digest]x\nMAINTAINER ::error::x\n"
    )
    step = work.step(outputs=lines(f"type=image,name={work.image}:1,push=true", "type=oci,dest=a.tar"))
    assert step.code == 0, step.log[-3000:]
    digest = served_digest(work.image, "1")
    assert step.outputs["digest"] == digest
    assert step.digests["0"] == digest
    assert any(command.startswith("::warning title=") for command in commands(step.log))
    check_log(step)
    check_summary(summary)


def test_a_dockerfile_that_cannot_be_parsed_says_so_and_no_more(work: Workplace, summary: Path) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch\n" + "".join(f"{each}\n" for each in HOSTILE))
    step = work.step(outputs="type=oci,dest=a.tar")
    assert step.code == 1
    assert "digest" not in step.outputs
    check_log(step)
    check_summary(summary)


def test_a_missing_file_whose_name_is_a_registrys_answer_is_not_tried_again(work: Workplace, summary: Path) -> None:
    name = 'a" failed to fetch: unexpected status from GET request to x: 503 Service Unavailable "b'
    (work.folder / "Dockerfile").write_text(f"FROM scratch\nCOPY {json.dumps([name, '/'])}\n")
    step = work.step(outputs="type=oci,dest=a.tar", retries="2", retry_delay="0.1")
    assert step.code == 1
    assert "trying again" not in step.log
    check_log(step)
    check_summary(summary)


def test_no_target_of_a_bake_is_taken_for_an_output(work: Workplace, summary: Path) -> None:
    targets = {
        "web": {
            "output": [f"type=image,name={work.image}:web,push=true"],
            "labels": {f"l{place}": each for place, each in enumerate(HOSTILE)},
            "args": {"HOSTILE": ONE_LINE},
            "description": ONE_LINE,
        },
        "api": {"output": ["type=oci,dest=api.tar"], "annotations": [f"manifest:a={ONE_LINE}"]},
    }
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    step = work.bake_step(source=".", targets="web,api")
    assert step.code == 0, step.log[-3000:]
    digest = served_digest(work.image, "web")
    assert json.loads(step.outputs["digests"])["web"] == {"0": digest}
    assert INJECTED not in "".join(value for key, value in step.outputs.items() if key != "metadata")
    check_log(step)
    check_summary(summary)


@pytest.mark.parametrize("name", ["a\n::error::x", "::set-output name=digest::x", "##[error]x", "\u202ex", "a b"])
def test_a_target_with_a_name_that_is_none_is_refused_in_one_line(work: Workplace, summary: Path, name: str) -> None:
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": {name: {"output": ["type=cacheonly"]}}}))
    step = work.bake_step(source=".", targets=name)
    assert step.code != 0
    assert json.loads(step.outputs.get("digests", "{}")) == {}
    check_log(step)
    assert not summary.exists() or "error::x" not in summary.read_text()
