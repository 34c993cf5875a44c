"""The examples of docs/python.md run, in their order, as one program."""

from __future__ import annotations

import re

from tests.engine.conftest import ROOT, Workplace
from tests.engine.other_end import served_digest, tar_digest

_BAKE = """
variable "TAG" {}
target "web" { output = ["type=image,name=IMAGE:${TAG},push=true"] }
target "api" { output = ["type=oci,dest=api.tar"] }
"""


def test_each_example_of_the_python_page_runs(work: Workplace) -> None:
    text = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 8
    (work.folder / "docker-bake.hcl").write_text(_BAKE.replace("IMAGE", work.image))
    program = work.folder / "program.py"
    program.write_text("\n".join(blocks).replace("localhost:5000/app", work.image))
    done = work.python(str(program))
    assert done.returncode == 0, done.stderr
    release, _tar, image, odd, *rest = done.stdout.splitlines()
    assert release == served_digest(work.image, "1")
    assert image == f"{work.image}:2 {served_digest(work.image, '2')}"
    assert odd == tar_digest(work.folder / "app, final.tar")
    assert rest[:4] == [
        f"api {{'0': '{tar_digest(work.folder / 'api.tar')}'}}",
        f"web {{'0': '{served_digest(work.image, '3')}'}}",
        served_digest(work.image, "3"),
        served_digest(work.image, "4"),
    ]
    inspected, failed, last = rest[4:]
    assert inspected == tar_digest(work.folder / "app.tar")
    assert failed.startswith("buildx failed with: ERROR: ")
    assert "no.Dockerfile" in last
    assert "exporting to" in done.stderr
