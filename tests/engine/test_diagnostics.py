"""What a step prints about docker, buildx, the builder and the proxy; it waits for none of it."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path

import pytest

from tests.engine.conftest import Step, Workplace, fake_docker
from tests.processes import has_ended

_SLOW_BUILD = 'if [ "$2" = build ] || [ "$2" = bake ]; then "$REAL" "$@"; code=$?; sleep 3; exit $code; fi; '


def groups(step: Step) -> dict[str, str]:
    """The groups of a log, by their titles."""
    found = re.findall(r"^::group::(.*?)\n(.*?)^::endgroup::", step.log, re.MULTILINE | re.DOTALL)
    return {title: re.sub(r"(?m)^::.*\n", "", text).strip() for title, text in found}


def test_a_build_shows_versions_builder_and_what_it_made_in_groups(work: Workplace) -> None:
    fake_docker(work, _SLOW_BUILD + 'exec "$REAL" "$@"')
    step = work.step(push="true", tags=f"{work.image}:1")
    assert step.code == 0, step.log
    shown = groups(step)
    titles = ["Docker info", "Proxy configuration", "Buildx version", "Builder info"]
    assert list(shown) == [*titles, "Image IDs", "Digests", "Metadata", "Reference"]
    assert shown["Buildx version"] == work.docker("buildx", "version")
    for side in ("Client", "Server"):
        version = work.docker("version", "--format", f"{{{{.{side}.Version}}}}")
        assert re.search(rf"^{side}:.*?Version: +{re.escape(version)}$", shown["Docker info"], re.MULTILINE | re.DOTALL)
    assert "\nDriver: docker\n" in re.sub(" +", " ", shown["Builder info"])
    assert shown["Proxy configuration"] == "No proxy configuration found"
    assert shown["Digests"] == f"0: {step.outputs['digest']}"
    assert shown["Image IDs"] == f"0: {step.outputs['imageid']}"
    assert json.loads(shown["Metadata"]) == json.loads(step.outputs["metadata"])
    assert shown["Reference"] == step.outputs["ref"]
    # Buildx's own lines stay together.
    assert "::group::" not in step.log[: step.log.index("exporting to image")]


def test_a_bake_that_fails_shows_them_too(work: Workplace) -> None:
    fake_docker(work, _SLOW_BUILD + 'exec "$REAL" "$@"')
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY missing.txt /\n")
    (work.folder / "docker-bake.hcl").write_text('target "web" {}')
    step = work.bake_step(source=".", targets="web", builder="default")
    assert step.code == 1
    assert {"Docker info", "Buildx version", "Builder info"} <= groups(step).keys()
    assert step.log.index("::group::Builder info") < step.log.index("::error::")


def test_no_step_waits_for_it_and_nothing_of_it_is_left_running(work: Workplace) -> None:
    pid = work.folder / "pid"
    fake_docker(
        work, f'if [ "$1" = version ]; then echo $$ > {pid}; exec sleep 60; fi; ' + _SLOW_BUILD + 'exec "$REAL" "$@"'
    )
    begin = time.monotonic()
    step = work.step(outputs="type=cacheonly")
    assert step.code == 0, step.log
    assert time.monotonic() - begin < 40
    assert has_ended(int(pid.read_text()))
    # The driver is known without asking.
    assert groups(step)["Builder info"] == "Driver: docker"
    assert "Docker info" not in groups(step)


def test_users_and_passwords_of_proxies_are_left_out(work: Workplace) -> None:
    config = Path(work.environment["DOCKER_CONFIG"])
    own = work.folder.with_name(f"{work.folder.name}-config")
    own.mkdir()
    (own / "cli-plugins").symlink_to(config / "cli-plugins")
    proxies = {
        "default": {"httpProxy": "http://octo:p@ss/wörd@proxy:3128", "noProxy": "localhost,10.0.0.0/8"},
        "tcp://build:2376": {"httpsProxy": "octo:secret@proxy:3129"},
    }
    (own / "config.json").write_text(json.dumps({"proxies": proxies}))
    work.environment = {**work.environment, "DOCKER_CONFIG": str(own)}
    step = work.step(outputs="type=cacheonly")
    assert step.code == 0, step.log
    assert groups(step)["Proxy configuration"].splitlines() == [
        "default: httpProxy: http://***@proxy:3128",
        "default: noProxy: localhost,10.0.0.0/8",
        "tcp://build:2376: httpsProxy: ***@proxy:3129",
    ]


@pytest.mark.parametrize(
    "claims", [{"ac": json.dumps([{"Scope": "refs/heads/main", "Permission": 3}])}, {"ac": "["}, {}]
)
def test_the_scopes_of_the_cache_token_are_shown_and_the_token_is_not(work: Workplace, claims: dict[str, str]) -> None:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    token = f"e30.{payload}.signature"
    work.environment = {**work.environment, "ACTIONS_RUNTIME_TOKEN": token}
    step = work.step(outputs="type=cacheonly")
    assert step.code == 0, step.log
    shown = groups(step).get("GitHub Actions runtime token ACs", "")
    assert shown == ("refs/heads/main: read/write" if "refs" in str(claims) else "")
    assert token not in step.log.replace(f"::add-mask::{token}", "")
