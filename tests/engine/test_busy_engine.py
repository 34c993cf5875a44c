"""Steps beside a bake that keeps the same engine busy, and an engine that does not give its records."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.engine.conftest import ASKS_FOR_RECORD, Workplace, fake_docker, lines, workplace
from tests.engine.other_end import served_digest, tar_digest

TARGETS = 30
AT_ONCE = 3
RATIO = 3


def _places(work: Workplace, kind: str) -> list[Workplace]:
    made = []
    for number in range(AT_ONCE):
        folder = work.folder / f"{kind}-{number}"
        folder.mkdir()
        made.append(workplace(folder, work.environment, work.registry))
    return made


def _outputs(place: Workplace) -> tuple[str, str]:
    return f"type=image,name={place.image}:a,push=true,id=release", f"type=oci,dest={place.folder}/a.tar"


def _step(place: Workplace) -> None:
    summary = place.folder / "summary.md"
    place.environment = {**place.environment, "GITHUB_STEP_SUMMARY": str(summary)}
    step = place.step(outputs=lines(*_outputs(place)))
    assert step.code == 0, step.log
    assert step.digests == {"release": served_digest(place.image, "a"), "1": tar_digest(place.folder / "a.tar")}
    assert summary.read_text()


def _bare_build(place: Workplace) -> None:
    outputs = [part for output in _outputs(place) for part in ("--output", output.replace(",id=release", ""))]
    place.docker("buildx", "build", "--metadata-file", str(place.folder / "metadata.json"), *outputs, str(place.folder))


def _big_bake(work: Workplace) -> subprocess.Popen[bytes]:
    target = {
        f"t{number}": {
            "dockerfile-inline": f"FROM scratch\nCOPY hello.txt /{number}\n",
            "output": [f"type=image,name={work.image}:{number},push=true", f"type=oci,dest={number}.tar"],
        }
        for number in range(TARGETS)
    }
    document = {"group": {"default": {"targets": list(target)}}, "target": target}
    (work.folder / "docker-bake.json").write_text(json.dumps(document))
    return subprocess.Popen(
        ["docker", "buildx", "bake", "--metadata-file", "bake.json"],
        cwd=work.folder,
        env=work.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _longest(run: Callable[[Workplace], None], places: Sequence[Workplace], pool: ThreadPoolExecutor) -> float:
    """Run all at once; the seconds of the one that takes longest."""

    def timed(place: Workplace) -> float:
        started = time.monotonic()
        run(place)
        return time.monotonic() - started

    return max(pool.map(timed, places))


def test_steps_beside_a_big_bake_end_soon_after_bare_builds_beside_it_do_and_with_their_digests(
    work: Workplace,
) -> None:
    # A build itself may wait long there: BuildKit removes old cache under a lock that every build needs, and a bare
    # build waits as long (BuildKit 0.25, cache/manager.go). So each kind runs beside the other and beside the bake.
    bake = _big_bake(work)
    try:
        time.sleep(0.5)
        with ThreadPoolExecutor(2 * AT_ONCE) as pool, ThreadPoolExecutor(2) as kinds:
            steps = kinds.submit(_longest, _step, _places(work, "step"), pool)
            builds = kinds.submit(_longest, _bare_build, _places(work, "build"), pool)
            assert steps.result() < RATIO * builds.result()
        assert bake.wait(240) == 0
    finally:
        bake.kill()
        bake.wait()


def test_a_summary_waits_a_short_time_for_a_record_that_no_digest_depends_on(work: Workplace) -> None:
    # A real engine cannot be made to keep its record back.
    asked, summary = work.folder / "asked", work.folder / "summary.md"
    silent = f"{ASKS_FOR_RECORD} && {{ echo asked >> {asked}; exec sleep 600; }}"
    fake_docker(work, f'{silent}; exec "$REAL" "$@"')
    work.environment = {**work.environment, "GITHUB_STEP_SUMMARY": str(summary)}
    step = work.step(push="true", tags=f"{work.image}:a")
    assert step.code == 0, step.log
    assert step.digests == {"0": served_digest(work.image, "a")}
    assert len(Path(asked).read_text().split()) == 1
    assert served_digest(work.image, "a") in summary.read_text()
