from __future__ import annotations

import pytest

from action.report.request import ReportOptions, read_report_options, upload_notice


def test_a_report_is_on_if_neither_an_input_nor_a_variable_turns_it_off() -> None:
    assert read_report_options({}, summary=True, comment=True, record=True) == ReportOptions(True, True, True, True)  # noqa: FBT003
    nothing = read_report_options({}, summary=False, comment=False, record=False)
    assert nothing == ReportOptions(False, True, False, False)  # noqa: FBT003


@pytest.mark.parametrize("text", ["false", "0", "F"])
def test_the_variables_of_the_peer_turn_off_their_reports(text: str) -> None:
    names = ("DOCKER_BUILD_SUMMARY", "DOCKER_BUILD_CHECKS_ANNOTATIONS", "DOCKER_BUILD_RECORD_UPLOAD")
    report_options = read_report_options(dict.fromkeys(names, text), summary=True, comment=True, record=True)
    assert report_options == ReportOptions(False, False, True, False)  # noqa: FBT003


@pytest.mark.parametrize("text", ["yes", "on", "2"])
def test_a_variable_that_is_not_a_boolean_is_false(text: str) -> None:
    assert (
        read_report_options({"DOCKER_BUILD_SUMMARY": text}, summary=True, comment=False, record=False).summary is False
    )


@pytest.mark.parametrize(("text", "wanted"), [("true", True), ("1", True), ("", False), ("false", False)])
def test_the_variable_for_the_record_turns_it_on_too(text: str, *, wanted: bool) -> None:
    variables = {"DOCKER_BUILD_RECORD_UPLOAD": text}
    assert read_report_options(variables, summary=True, comment=False, record=False).record is wanted


@pytest.mark.parametrize(
    ("upload", "days", "named"),
    [
        ("", "", ()),
        ("", "0", ()),
        ("false", "7", ()),
        ("true", "", ("DOCKER_BUILD_RECORD_UPLOAD",)),
        ("", "7", ("DOCKER_BUILD_RECORD_RETENTION_DAYS", "retention-days: 7")),
        ("true", "7", ("DOCKER_BUILD_RECORD_UPLOAD and DOCKER_BUILD_RECORD_RETENTION_DAYS", "retention-days: 7")),
    ],
)
def test_who_asks_for_an_upload_is_told_what_to_do_instead(upload: str, days: str, named: tuple[str, ...]) -> None:
    notice = upload_notice({"DOCKER_BUILD_RECORD_UPLOAD": upload, "DOCKER_BUILD_RECORD_RETENTION_DAYS": days})
    assert bool(notice) == bool(named)
    assert all(each in notice for each in named)
