"""What a step wants reported of its run, from its inputs and environment variables. It is needed before the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from action.inputs.values import environment_boolean


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

    A report that an input or a variable turns off is off. A variable with a value that is not a boolean turns it off.

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
        record=record and is_on("DOCKER_BUILD_RECORD_UPLOAD"),
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
