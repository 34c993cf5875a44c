"""Annotations for warnings of build checks, from both forms in a metadata file."""

from __future__ import annotations

import base64
import json

import pytest

from action.report.annotations import Annotation, read_annotations
from tests.work import growth

DATA = b"FROM scratch as a\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def warning(
    short: str = "FromAsCasing: casing differs (line 3)", line: int | None = 3, **more: object
) -> dict[str, object]:
    return {
        "short": encoded(short),
        "detail": [encoded("casing should"), encoded("be the same")],
        "url": "https://docs.docker.com/go/x/",
        "sourceInfo": {"filename": "Dockerfile", "data": encoded(DATA.decode()), "language": "Dockerfile"},
        "range": [{"start": {"line": line}, "end": {"line": line}}] if line else None,
        **more,
    }


def check(rule: str = "FromAsCasing", detail: str = "casing differs", line: int = 3) -> dict[str, object]:
    finding = {
        "ruleName": rule,
        "description": "casing should be the same",
        "url": "https://docs.docker.com/go/x/",
        "detail": detail,
        "location": {"ranges": [{"start": {"line": line}}]},
    }
    return {"warnings": [finding], "sources": [{"filename": "Dockerfile", "data": encoded(DATA.decode())}]}


def find(name: str, data: bytes | None) -> str | None:
    return "app/Dockerfile" if (name, data) == ("Dockerfile", DATA) else None


def found_in(document: object) -> list[Annotation]:
    return read_annotations(json.dumps(document), find)


EXPECTED = Annotation(
    "casing should be the same",
    "FromAsCasing: casing differs\nMore info: https://docs.docker.com/go/x/",
    "app/Dockerfile",
    3,
)


@pytest.mark.parametrize(
    "document",
    [
        {"buildx.build.warnings": [warning()]},
        {"result.json": check()},
        {"buildx.build.warnings": [warning()], "web": {"buildx.build.ref": "x"}},
        {"web": {"result.json": check()}},
        {"web": {"buildx.build.warnings": [warning()]}},
        {
            "buildx.build.warnings": [
                warning(),
                warning(),
                warning(range=[{"start": {"line": 3}}, {"start": {"line": 9}}]),
            ]
        },
        {"result.json": check(), "buildx.build.warnings": [warning()]},
    ],
)
def test_a_warning_gets_one_annotation_with_the_peers_title_and_message_at_file_and_line(document: object) -> None:
    assert found_in(document) == [EXPECTED]


def test_a_rule_broken_in_two_places_gets_two_annotations() -> None:
    found = found_in({"buildx.build.warnings": [warning(line=3), warning(line=4), warning("Other: x", line=3)]})
    assert [(each.message.partition(":")[0], each.line) for each in found] == [
        ("FromAsCasing", 3),
        ("FromAsCasing", 4),
        ("Other", 3),
    ]


def test_a_file_that_is_not_found_is_named_in_the_message() -> None:
    source = {"filename": "Other.Dockerfile", "data": encoded("x")}
    (found,) = found_in({"buildx.build.warnings": [warning(sourceInfo=source)]})
    assert (found.file, found.line) == (None, None)
    assert found.message.startswith("Other.Dockerfile:3: FromAsCasing: casing differs")


def test_a_warning_without_rule_file_and_link_keeps_its_text() -> None:
    (found,) = found_in({"buildx.build.warnings": [{"short": encoded("something is odd")}]})
    assert found == Annotation("Build check", "something is odd", None, None)


def test_the_title_of_a_warning_without_details_is_its_rule() -> None:
    (found,) = found_in({"buildx.build.warnings": [warning(detail=None)]})
    assert (found.title, found.message) == ("FromAsCasing", EXPECTED.message)


@pytest.mark.parametrize(
    "document",
    [
        *([], None, "x", {}, {"buildx.build.warnings": {}}, {"buildx.build.warnings": None}, {"result.json": None}),
        *({"buildx.build.warnings": [1, None, {"short": 1}, {"short": "%%%"}, {}]}, {"result.json": {"warnings": "x"}}),
        {"result.json": {"warnings": None, "sources": None}},
    ],
)
def test_malformed_warnings_are_ignored(document: object) -> None:
    assert found_in(document) == []


def test_metadata_that_is_not_json_has_no_annotations() -> None:
    assert read_annotations("{", find) == read_annotations("", find) == read_annotations("[" * 100_000, find) == []


def test_texts_are_on_one_line_without_invisible_characters() -> None:
    short = "Rule\u202e\x1b[31m: a\nb\r\n::error::c"
    (found,) = found_in({"buildx.build.warnings": [warning(short, url="", detail=[encoded("one\r\ntwo\x1b[1m")])]})
    assert (found.title, found.message) == ("one two", "Rule: a b ::error::c")


@pytest.mark.parametrize(("before", "piece", "after"), [("", " ", ""), ("", "(line 1", ""), ("Rule: a", " ", "b")])
def test_the_time_for_a_hostile_text_is_proportional_to_its_length(before: str, piece: str, after: str) -> None:
    def read(length: int) -> None:
        found_in({"buildx.build.warnings": [warning(before + piece * (length // len(piece)) + after)]})

    assert growth(read, 125_000) < 1.5


def test_warnings_of_one_rule_in_different_missing_files_stay_separate() -> None:
    first, second = check(line=1), check(detail="another", line=2)
    first["sources"] = second["sources"] = [{"filename": "web.Dockerfile", "data": ""}]
    found = found_in({"web": {"result.json": first}, "api": {"result.json": second}, "again": {"result.json": first}})
    assert [each.message.partition("\n")[0] for each in found] == [
        "web.Dockerfile:1: FromAsCasing: casing differs",
        "web.Dockerfile:2: FromAsCasing: another",
    ]
