"""The summary: its content, its secrets, and its size."""

from __future__ import annotations

import re
from html import unescape

import pytest

from action.dataclass import replace
from action.evidence.record import StatusLog, Step
from action.exporters.attributed import AttributedCache
from action.report.model import Report, Target
from action.report.summary import LIMIT, failure_excerpt, outputs_table, render, shown_inputs
from tests.golden_files import FOLDER, assert_golden
from tests.unit.merging.jobs import digest_of, exporter, results
from tests.unit.report.conftest import Mermaid
from tests.unit.report.rendered import Page, html
from tests.unit.report.test_safe_text import HOSTILE

RELEASE = exporter(names=("ghcr.io/octo/app:1",), platforms={"linux/amd64": "amd", "linux/arm64": "arm"})
FILES = exporter("files", names=(), push=False, kind="local", digest=None)


def report(*targets: Target, **more: object) -> Report:
    return replace(Report(title="Build", failed=False, targets=targets), **more)  # type: ignore[arg-type]  # any field


def long_build() -> StatusLog:
    steps = tuple(
        Step(
            f"[stage-{number // 30} {number % 30 + 1}/30] RUN step {number}",
            start,
            start + 0.1 + number % 7,
            number % 3 == 0,
        )
        for number, start in ((number, 1000.0 + number) for number in range(300))
    )
    return StatusLog("r", 1000.0, 1306.1, steps)


def test_a_build_of_300_steps() -> None:
    text = render(report(Target("", results(RELEASE, FILES), long_build()), inputs={"push": "true", "tags": "a\nb"}))
    assert_golden("300-steps.md", text)


def test_mermaid_reads_the_timelines_of_the_golden_files(mermaid: Mermaid) -> None:
    texts = [file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.md"))]
    diagrams = [diagram for text in texts for diagram in re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)]
    assert len(diagrams) >= 3
    assert all("error" not in answer for answer in mermaid(diagrams))


def test_every_output_has_a_row_with_its_destination() -> None:
    tar = exporter("tar", names=("app:1",), push=False, kind="oci", digest="t")
    tar = replace(tar, dest="out/app.tar")
    kept = replace(exporter("kept", names=("app:1",), push=False, digest="k"), imageid=digest_of("config"))
    text = render(report(Target("", results(RELEASE, tar, kept, FILES)), sizes={"out/app.tar": 3_500_000}))
    cells = Page(html(text)).cells
    rows = [cells[start : start + 6] for start in range(6, len(cells), 6)]
    assert rows[:4] == [
        ["release", "image", "ghcr.io/octo/app:1", digest_of("image")[:19], "-", "linux/amd64 linux/arm64"],
        ["tar", "oci", "out/app.tar 3.5 MB", digest_of("t")[:19], "-", "-"],
        ["kept", "image", "app:1 (not pushed)", digest_of("k")[:19], digest_of("config")[:19], "-"],
        ["files", "local", "-", "-", "-", "-"],
    ]
    assert f'title="{digest_of("image").replace(":", "&#58;")}"' in text
    # GitHub copies a block with one click.
    assert f"```text\n{digest_of('image')}\n```" in text


def _widest(cell: str) -> int:
    """The number of characters of the longest part of a cell that a browser does not break."""
    text = re.sub(r"<wbr>|<br>", " ", cell)
    return max(map(len, re.split(r"\s|(?<=-)", unescape(re.sub(r"<[^>]*>", "", text)))))


def test_a_summary_of_900_pixels_needs_no_scrolling() -> None:
    folders = "deeply/nested/" * 5
    name = f"registry.example.com/organisation/{folders}image-of-a-service-with-a-long-name:2026.11.27-build.1"
    targets = tuple(
        Target(f"service-with-a-long-name-{number}", results(replace(RELEASE, names=(name,), size=12_345_678)))
        for number in range(20)
    )
    failure = "x" * 500 + "\n" + "word " * 100
    text = render(Report(title="Bake", failed=True, targets=targets, failure=failure))
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("|")]
    # Seen in a browser: a character of GitHub's code is 8.2 pixels wide, and a cell has 37 pixels beside its text.
    widths = [[_widest(cell) * 8.2 + 37 for cell in row] for row in rows]
    assert sum(map(max, zip(*widths, strict=True))) <= 868
    blocks = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert max(len(line) for each in blocks for line in each.splitlines()) <= 104
    assert "".join(re.findall(r"x+", blocks[0])) == "x" * 500


@pytest.mark.parametrize("target", ["", "web"])
def test_caches_have_a_table_and_their_places_are_masked(target: str) -> None:
    written = AttributedCache(
        key="main",
        index=0,
        id="main",
        type="registry",
        ref="ghcr.io/octo/hunter2:cache",
        dest=None,
        digest=digest_of("cache"),
        evidence="response",
    )
    failed = replace(written, key="1", type="local", ref=None, dest="out/hunter2", digest=None)
    text = render(report(Target(target, replace(results(RELEASE), caches=(written, failed))), secrets=("hunter2",)))
    cells = Page(html(text)).cells
    expected = [
        *(["web"] if target else []),
        *("main", "registry", "ghcr.io/octo/***:cache", digest_of("cache")[:19]),
        *(["web"] if target else []),
        *("1", "local", "out/***", "-"),
    ]
    assert cells[-len(expected) :] == expected
    label = f"{target} cache main" if target else "cache main"
    assert re.search(f"{label}</code>\n\n```text\n{digest_of('cache')}\n", text)
    assert "hunter2" not in text


def test_a_bake_has_a_row_for_each_target_and_output() -> None:
    text = render(
        Report(
            title="Bake",
            failed=False,
            targets=(Target("web", results(RELEASE)), Target("api", results(RELEASE, FILES))),
        )
    )
    cells = Page(html(text)).cells
    assert cells[:2] == ["Target", "Output"]
    assert [cells[start : start + 2] for start in range(6, len(cells), 6)] == [
        ["web", "release"],
        ["api", "release"],
        ["api", "files"],
    ]


def test_a_failure_comes_first_and_its_steps_are_drawn() -> None:
    progress = StatusLog("r", 1.0, 4.0, (Step("[1/1] RUN false", 1.0, 4.0, error="exit code 1"),))
    text = render(
        Report(
            title="Build",
            failed=True,
            targets=(Target("", None, progress),),
            errors=("buildx failed with: x",),
            failure="> [1/1] RUN false:\nlog",
        )
    )
    assert text.startswith("### ❌ Build failed\n")
    assert "```text\n> [1/1] RUN false:\nlog\n```" in text
    assert " :crit, " in text
    assert "Red: failed." in text


@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_from_outside_adds_an_element(text: str) -> None:
    def page(value: str) -> Page:
        one = exporter(names=(value,), platforms={value: "p"}, kind=value)
        progress = StatusLog("r", 1.0, 2.0, (Step(value, 1.0, 2.0, error=value),))
        whole = Report(
            title="Bake",
            failed=True,
            targets=(Target(value, results(one), progress),),
            errors=(value,),
            warnings=(value,),
            failure=value,
            inputs={"context": value, "tags": f"{value}\n{value}"},
        )
        return Page(html(render(whole)))

    hostile, harmless = page(text), page("plain")
    assert [each for each in hostile.elements if each != "br"] == [each for each in harmless.elements if each != "br"]
    assert hostile.attributes == harmless.attributes
    assert hostile.comments == []


def test_secrets_are_not_shown() -> None:
    secret = "hunter2 & co"
    progress = StatusLog("r", 1.0, 2.0, (Step(f"RUN echo {secret}", 1.0, 2.0, error=secret),))
    text = render(
        Report(
            title="Build",
            failed=True,
            targets=(Target(secret, results(exporter(names=(f"x/{secret}",))), progress),),
            errors=(f"failed: {secret}",),
            warnings=(secret,),
            failure=f"log {secret}",
            inputs={"build-args": f"A={secret}"},
            secrets=(secret, "line one\nline two"),
        )
    )
    page = Page(html(text))
    assert "hunter2" not in text
    assert not any("hunter2" in code for code in page.codes)
    assert "***" in text


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("hunter2", "hun\x1b[1mter2"),
        ("hunter2", "hun\u200bter\u202e2\0"),
        ("hun\u200bter2", "hunter2"),
        ("hunter2 and co", "hunter2  and\nco"),
        ("hunter2\tand co", "hunter2 and co"),
        ("hunter2\x1b[1m", "hunter2"),
    ],
)
def test_a_secret_is_found_as_it_would_be_shown(secret: str, text: str) -> None:
    progress = StatusLog("r", 1.0, 2.0, (Step(f"RUN {text}", 1.0, 2.0, error=text),))
    shown = Report(
        title="Build",
        failed=True,
        targets=(Target("", results(exporter(names=(text,))), progress),),
        errors=(text,),
        warnings=(text,),
        failure=text,
        inputs={"build-args": text},
        secrets=(secret,),
    )
    assert "hunter2" not in render(shown)


def test_of_many_errors_as_many_are_shown_as_fit() -> None:
    many = report(Target("", results(RELEASE)), errors=("|" * 300,) * 2000, warnings=("|" * 300,) * 100, failed=True)
    for limit in (LIMIT, 60_000):
        for text in (render(many, limit), outputs_table(many, limit)):
            assert len(text.encode()) <= limit
            assert re.search(r"❌ and \d+ more errors", text)
            assert "<code>release</code>" in text


def test_inputs_with_secrets_or_without_effect_are_not_shown() -> None:
    raw = {"tags": "a", "push": "true", "load": "false", "context": " ", "secrets": "A=b", "github-token": "t"}
    assert shown_inputs(raw, ("secrets", "github-token")) == {"tags": "a", "push": "true"}


def test_a_summary_never_exceeds_its_limit_and_names_what_it_left_out() -> None:
    names = tuple(f"ghcr.io/octo/{'x' * 200}-{number}:1" for number in range(3))
    progress = long_build()
    targets = tuple(
        Target(f"target-{number}", results(exporter(names=names)), None if number % 10 else progress)
        for number in range(1000)
    )
    text = render(Report(title="Bake", failed=False, targets=targets, inputs={"set": "y" * 5000}))
    assert len(text.encode()) <= LIMIT
    left_out = text[text.index("Left out") :]
    assert re.search(r"\d+ of 1000 outputs", left_out)
    assert "the digests in full" in left_out
    assert "the inputs" not in left_out


def test_the_least_important_parts_are_left_out_first() -> None:
    whole = report(Target("", results(RELEASE), long_build()), failure="log\n" * 100, inputs={"build-args": "x" * 3000})
    text = render(whole, 4096 + 4000)
    assert "#### What failed" in text
    assert "the inputs" in text[text.index("Left out") :]
    assert "<code>release</code>" in text


def test_a_comment_contains_only_the_heading_and_the_table() -> None:
    targets = tuple(Target(f"target-{number}", results(RELEASE)) for number in range(500))
    text = outputs_table(Report(title="Bake", failed=False, targets=targets), 60_000)
    assert len(text.encode()) <= 60_000
    assert re.search(r"\d+ of 500 outputs are left out", text)
    assert "<details>" not in text


LOG = """#5 [2/2] RUN make
#5 0.1 cc a.c
#5 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2
------
 > [2/2] RUN make:
0.1 cc a.c
0.2 a.c:1: error: no
------
Dockerfile:2
--------------------
   1 |     FROM alpine
   2 | >>> RUN make
--------------------
ERROR: failed to build: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2
"""


def test_the_excerpt_of_a_log_has_the_failed_step_its_log_and_the_dockerfiles_lines() -> None:
    assert failure_excerpt(LOG).splitlines() == [
        " > [2/2] RUN make:",
        "0.1 cc a.c",
        "0.2 a.c:1: error: no",
        "Dockerfile:2",
        "   1 |     FROM alpine",
        "   2 | >>> RUN make",
        LOG.splitlines()[-1],
    ]


def test_the_excerpt_of_a_log_without_a_failed_step_is_its_last_lines() -> None:
    log = "".join(f"line {number}\n" for number in range(100))
    assert failure_excerpt(log).splitlines() == [f"line {number}" for number in range(80, 100)]
    assert failure_excerpt("") == ""
