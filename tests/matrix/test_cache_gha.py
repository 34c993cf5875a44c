"""Caches of `type=gha` with the drivers and BuildKit releases that speak version 2 of GitHub's cache service."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from engine import EngineError
from tests.cache_service import CacheService
from tests.engine.conftest import STAGES, Launched, cached_steps
from tests.engine.other_end import served_digest
from tests.matrix.conftest import MakeWorkplace
from tests.matrix.engines import Engine, started

pytestmark = pytest.mark.timeout(3600)

_ENGINES = (
    Engine("0.29", driver="remote", buildkit="0.20"),
    Engine("0.38", driver="remote", buildkit="0.34"),
    # That of docker/setup-buildx-action.
    Engine("0.38", docker="28.5", driver="docker-container", buildkit="0.34"),
)


@pytest.fixture(scope="module", params=_ENGINES, ids=lambda engine: engine.name)
def environment(request: pytest.FixtureRequest, registry: str) -> Iterator[Mapping[str, str]]:
    try:
        with started(request.param, registry) as docker:
            yield docker.environment
    except EngineError as error:
        pytest.skip(f"the engine cannot be started: {error}")


def test_a_cache_is_stored_and_found_after_the_engine_was_emptied(
    tmp_path: Path, environment: Mapping[str, str], make_workplace: MakeWorkplace, cache_service: CacheService
) -> None:
    work = make_workplace(environment)
    (work.folder / "Dockerfile").write_text(STAGES)
    job = Launched(work, cache_service.variables(), tmp_path.with_name(f"{tmp_path.name}-tools"))
    caches = {"cache_from": "type=gha", "cache_to": "type=gha,mode=max"}
    for tag, cached in (("1", 0), ("2", 3)):
        prune = ("docker", "buildx", "prune", "--all", "--force")
        subprocess.run(prune, env=dict(environment), check=True, capture_output=True, timeout=60)
        step = job.built(push="true", tags=f"{work.image}:{tag}", require_digests="true", **caches)
        assert step.digests == {"0": served_digest(work.image, tag)}
        assert cached_steps(step) == cached, step.log
    assert len(cache_service.layers()) == 3
    assert cache_service.refused == []
