"""What a step shows to people: the inputs `summary`, `comment` and `record`, and the peer's environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from action.inputs.booleans import environment_boolean


@dataclass(frozen=True)
class ReportOptions:
    """What is shown.

    Attributes:
        summary: whether there is a job summary.
        annotations: whether warnings of build checks are annotated.
        comment: whether the pull request gets a comment.
        record: whether the build's record is written to a file.
    """

    summary: bool
    annotations: bool
    comment: bool
    record: bool


def read_report_options(environment: Mapping[str, str], *, summary: bool, comment: bool, record: bool) -> ReportOptions:
    """Join the inputs and docker/build-push-action's environment variables: what one of them turns off is off.

    A variable that is set to something other than a boolean turns off what it names.
    """

    def allowed(name: str) -> bool:
        return environment_boolean(environment.get(name) or "true")

    return ReportOptions(
        summary=summary and allowed("DOCKER_BUILD_SUMMARY"),
        annotations=allowed("DOCKER_BUILD_CHECKS_ANNOTATIONS"),
        comment=comment,
        record=record and allowed("DOCKER_BUILD_RECORD_UPLOAD"),
    )
