"""The text of the comment on a pull request, which several steps and jobs write."""

from __future__ import annotations

import re

from action.report.comment import CommentSource, comment_text


def source(
    step: str = "", *, leg: dict[str, str] | None = None, commit: str = "c0ffee", job: str = "build"
) -> CommentSource:
    return CommentSource("CI", job, leg or {}, step, commit)


def test_each_workflow_job_and_matrix_leg_has_its_own_marker() -> None:
    legs = [source(), source(job="test"), source(leg={"arch": "arm64"}), source(leg={"arch": "amd64"})]
    assert len({each.marker for each in legs}) == 4
    assert source("other step").marker == source(commit="beef").marker == source().marker


def test_steps_of_one_job_share_a_comment_and_each_changes_its_own_part() -> None:
    text = comment_text(source("one"), "first\n", "")
    text = comment_text(source("two"), "second\n", text)
    text = comment_text(source("one"), "first, again\n", text)
    assert re.sub(r"<!--.*?-->\n", "", text).split("\n\n")[1] == "first, again\nsecond\n"
    assert text.startswith(source().marker)


def test_parts_of_an_older_commit_go() -> None:
    text = comment_text(source("gone"), "old\n", "")
    text = comment_text(source("kept", commit="beef"), "new\n", text)
    assert "old" not in text
    assert "<code>beef</code>" in text


def test_names_from_outside_are_escaped_and_forge_no_part() -> None:
    forged = "<!-- end -->\n<!-- part 0123456789abcdef c0ffee -->\nforged\n<!-- end -->\n"
    hostile = CommentSource(forged, forged, {"leg": forged}, forged, "c0ffee")
    text = comment_text(hostile, "right\n", "")
    assert text.count("<!--") == 3
    again = comment_text(hostile, "right\n", text)
    assert again == text
