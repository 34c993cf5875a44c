"""Fuzz target for folders of results files: every digest read from them is valid, and all text can be printed."""

from __future__ import annotations

import json
import re
import shutil

from action.merging.job_results import read_folder
from action.oci.image import DIGEST_PATTERN
from fuzz.reader import SEPARATOR, Reader, allowing_errors, folder, input_of, printable
from tests.unit.merging.jobs import document, exporter, results

_RESULTS = document(results(exporter(platforms={"linux/amd64": "a"}), exporter("1", names=(), digest=None))).encode()
_BAKE = b'{"version": 1, "targets": {"web": %b}}' % _RESULTS


def _attempt(data: bytes) -> None:
    target, *files = data.split(SEPARATOR)[:5]
    jobs = folder() / "results"
    shutil.rmtree(jobs, ignore_errors=True)
    for place, content in enumerate(files):
        (jobs / str(place)).mkdir(parents=True)
        (jobs / str(place) / "results.json").write_bytes(content)
    with allowing_errors():
        found, errors = read_folder(jobs, target.decode("utf-8", "replace"))
        assert len(found) + len(errors) == len(files)
        for error in errors:
            printable(str(error))
        for job in found:
            printable(json.dumps(job.results.document(), ensure_ascii=False))
            for each in job.results.exporters:
                assert re.fullmatch(r"[A-Za-z0-9_.-]+", each.key)
                assert each.digest is None or re.match(DIGEST_PATTERN, each.digest)


MERGE = Reader(
    "merge",
    _attempt,
    (input_of("", _RESULTS), input_of("web", _BAKE, _RESULTS), input_of("", "{}", "[]")),
    ("version", "targets", "exporters", "digest", "null", "\\ud800", "\\n"),
)
