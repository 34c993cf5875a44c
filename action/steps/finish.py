"""The step of a build or of a bake, once buildx has ended: the step outputs, the files that they name, the report."""

from __future__ import annotations

from collections.abc import Mapping

from action.packages.preload import Preloader
from action.pipeline.refs import refs_of
from action.pipeline.run import result_of
from action.pipeline.run_result import RunResult
from action.report.request import ReportRequest
from action.steps.outputs import (
    finish_step,
    outputs_of_bake,
    outputs_of_build,
    print_digests,
    write_checksums,
    write_record,
    write_results,
)
from action.steps.reporting import report_run

__all__ = ["ReportRequest", "finish_run", "result_of"]


def finish_run(result: RunResult, report: ReportRequest, preloader: Preloader) -> int:
    """Set the step outputs of a run, report it, and return the step's exit code.

    Args:
        result: the result of the run.
        report: what is reported of the run.
        preloader: loads the packages that the report needs.

    Raises:
        Interrupted: a signal ended the run; its outputs are set.
    """
    code = finish_step(result, _outputs(result, saves_record=report.report_options.record))
    report_run(result, report, preloader)
    return code


def _outputs(result: RunResult, *, saves_record: bool) -> Mapping[str, str]:
    own = outputs_of_bake(result) if result.bake else outputs_of_build(result)
    outputs = {"metadata": result.metadata or "", "refs": "[]", **own}
    if saves_record:
        outputs |= write_record(result.trace, list(refs_of(result).values()))
    if result.builds is None:
        return outputs
    print_digests(result.builds)
    exporters = [exporter for build in result.builds.values() for exporter in build.exporters]
    return {**outputs, "results": write_results(result), **write_checksums(exporters)}
