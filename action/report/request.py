"""The reports that a step writes, from its inputs and environment variables; read before the run."""

from __future__ import annotations

from collections.abc import Mapping

from action.dataclass import dataclass, field
from action.inputs.values import environment_boolean

_UPLOAD, _RETENTION = "DOCKER_BUILD_RECORD_UPLOAD", "DOCKER_BUILD_RECORD_RETENTION_DAYS"


@dataclass(frozen=True)
class ReportOptions:
    """The reports that a step writes.

    Attributes:
        summary: whether the step writes a job summary.
        annotations: whether warnings of build checks become annotations.
        comment: whether the step comments on the pull request.
        record: whether the build record is written to a file.
    """

    summary: bool
    annotations: bool
    comment: bool
    record: bool


def read_report_options(environment: Mapping[str, str], *, summary: bool, comment: bool, record: bool) -> ReportOptions:
    """Combine the inputs with the environment variables of docker/build-push-action.

    A report that an input or a variable turns off is off; DOCKER_BUILD_RECORD_UPLOAD also turns the record on. A
    variable with a value that is not a boolean counts as false.

    Args:
        environment: environment variables; the three DOCKER_BUILD_… below are read.
        summary: the input `summary`.
        comment: the input `comment`.
        record: the input `record`.
    """

    def is_on(name: str) -> bool:
        return environment_boolean(environment.get(name) or "true")

    return ReportOptions(
        summary=summary and is_on("DOCKER_BUILD_SUMMARY"),
        annotations=is_on("DOCKER_BUILD_CHECKS_ANNOTATIONS"),
        comment=comment,
        record=environment_boolean(environment.get(_UPLOAD) or str(record).lower()),
    )


def upload_notice(environment: Mapping[str, str]) -> str:
    """Return a notice if variables of docker/build-push-action ask for an upload of the build record, or empty.

    Args:
        environment: environment variables.
    """
    days = environment.get(_RETENTION, "").strip()
    asked = [name for name in (_UPLOAD, *((_RETENTION,) if days.strip("0") else ())) if environment.get(name)]
    if not asked or not environment_boolean(environment.get(_UPLOAD) or "true"):
        return ""
    option = f" and retention-days: {days}" if _RETENTION in asked else ""
    return (
        f"{' and '.join(asked)}: this action uploads no build record; give the output record to a step with "
        f"actions/upload-artifact{option}"
    )


@dataclass(frozen=True)
class ReportRequest:
    """The parts of a report that a step wants, and what they need besides the run's result.

    Attributes:
        title: `Build`, `Bake` or `Merge`.
        report_options: the parts that the step wants.
        inputs: the step's inputs, input name to its text.
        secrets: texts that must not be shown.
        token: the token to write a comment with, or empty.
        folder: the folder that paths in outputs are relative to.
    """

    title: str
    report_options: ReportOptions
    inputs: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    token: str = field(default="", repr=False)
    folder: str = "."
