"""Build records come from BuildKit's own API, over a connection that is opened while buildx builds."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.engine.conftest import Step, Workplace, fake_docker, lines, record_plugin, workplace
from tests.engine.other_end import served_digest, tar_digest
from tests.engine.test_failed_bake import define, digests

_DENIED = """
echo "$2" >> CALLS
[ "$2" = DENIED ] && { echo "ERROR: denied by the test" >&2; exit 1; }
exec "$REAL" "$@"
"""


def _deny(work: Workplace, denied: str) -> Path:
    """Let one command of buildx fail; return a file with the name of each command that is run."""
    calls = work.folder.with_name(f"{work.folder.name}-calls")
    fake_docker(work, _DENIED.replace("CALLS", str(calls)).replace("DENIED", denied))
    return calls


def _asked(calls: Path) -> list[str]:
    """Return the commands that were run to read records."""
    return [call for call in calls.read_text().split() if call in {"dial-stdio", "history"}]


def _outputs(work: Workplace) -> str:
    return lines(f"type=image,name={work.image}:a,push=true,id=release", "type=oci,dest=a.tar", "type=local,dest=files")


def _check(work: Workplace, step: Step) -> None:
    assert step.code == 0, step.log
    assert step.digests == {"release": served_digest(work.image, "a"), "1": tar_digest(work.folder / "a.tar")}


def test_the_engines_own_socket_is_used_if_buildx_would_use_it(work: Workplace) -> None:
    calls, summary = record_plugin(work), work.folder / "summary.md"
    work.environment = {**work.environment, "GITHUB_STEP_SUMMARY": str(summary)}
    step = work.step(outputs=_outputs(work))
    _check(work, step)
    assert [each["evidence"] for each in step.exporters] == ["record", "record", None]
    assert "COPY hello.txt" in summary.read_text()
    assert "build" in calls.read_text().split()
    assert _asked(calls) == []


def test_no_record_is_exported_for_digests_and_a_summary(work: Workplace) -> None:
    calls, summary = _deny(work, "history"), work.folder / "summary.md"
    work.environment = {**work.environment, "GITHUB_STEP_SUMMARY": str(summary)}
    step = work.step(outputs=_outputs(work))
    _check(work, step)
    assert [each["evidence"] for each in step.exporters] == ["record", "record", None]
    assert "COPY hello.txt" in summary.read_text()
    assert _asked(calls) == ["dial-stdio"]


def test_an_exported_record_gives_the_same_results(work: Workplace) -> None:
    # Provenance has times, and so makes another index of each build.
    step = work.step(outputs=_outputs(work), provenance="false")
    calls = _deny(work, "dial-stdio")
    again = work.step(outputs=_outputs(work), provenance="false")
    assert again.code == 0, again.log
    assert again.exporters == step.exporters
    assert "history" in _asked(calls)


def test_where_no_digest_depends_on_a_record_nothing_is_asked(work: Workplace) -> None:
    calls = _deny(work, "history")
    step = work.step(push="true", tags=f"{work.image}:a", summary="false")
    assert step.digests == {"0": served_digest(work.image, "a")}
    assert _asked(calls) == []


def test_steps_at_once_on_one_engine_have_their_own_digests(work: Workplace) -> None:
    places = []
    for number in range(3):
        folder = work.folder / str(number)
        folder.mkdir()
        places.append(workplace(folder, work.environment, work.registry))
        _deny(places[-1], "history")
    with ThreadPoolExecutor(3) as pool:
        steps = list(pool.map(lambda place: place.step(outputs=_outputs(place)), places))
    for place, step in zip(places, steps, strict=True):
        _check(place, step)


def test_builds_of_another_client_before_and_after_the_end_are_not_taken_for_the_steps(work: Workplace) -> None:
    other = f"--output type=image,name={work.image}:a,push=false --output type=oci,dest=other.tar"
    build = f"\"$REAL\" buildx build -q {other} --build-arg NO=$RANDOM - <<< $'FROM scratch\\nLABEL a=b' > /dev/null"
    fake_docker(
        work, f'[ "$2" = build ] || exec "$REAL" "$@"\n{build}\n"$REAL" "$@"; code=$?\n{build}\n{build}\nexit $code'
    )
    _check(work, work.step(outputs=_outputs(work)))


@pytest.mark.usefixtures("busybox")
def test_of_a_failed_bake_the_records_say_which_targets_were_exported(work: Workplace) -> None:
    _deny(work, "history")
    define(work, slow=work.image)
    step = work.bake_step(source=".", targets="good,bad")
    assert step.code == 1
    expected = {"release": served_digest(work.image, "good"), "1": tar_digest(work.folder / "good.tar")}
    assert digests(step) == {"good": expected}


@pytest.mark.usefixtures("busybox")
def test_a_bake_beside_a_slow_target_exports_no_record_and_loses_no_digest(work: Workplace) -> None:
    """BuildKit adds the trace of the whole bake to each record 3 s after its target: exports then take longest."""
    calls = _deny(work, "history")
    targets: dict[str, object] = {
        f"t{number}": {
            "dockerfile-inline": f"FROM scratch\nCOPY hello.txt /{number}\n",
            "output": [f"type=image,name={work.image}:{number},push=true", f"type=oci,dest={number}.tar"],
        }
        for number in range(12)
    }
    run = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sleep", "5"]\n'
    targets["slow"] = {"dockerfile-inline": run, "network": "none", "output": ["type=oci,dest=slow.tar"]}
    definition = {"group": {"default": {"targets": list(targets)}}, "target": targets}
    (work.folder / "docker-bake.json").write_text(json.dumps(definition))
    step = work.bake_step(source=".")
    assert step.code == 0, step.log
    expected = {
        f"t{number}": {"0": served_digest(work.image, str(number)), "1": tar_digest(work.folder / f"{number}.tar")}
        for number in range(12)
    }
    assert digests(step) == {**expected, "slow": {"0": tar_digest(work.folder / "slow.tar")}}
    assert _asked(calls) == ["dial-stdio"]
