"""`build` and `bake` treat the same mistake the same way."""

from __future__ import annotations

import pytest

from tests.unit.command_line import command


@pytest.mark.parametrize("name", ["build", "bake"])
@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
@pytest.mark.parametrize("option", ["--file", "-f", "--metadata-file", "--call"])
def test_an_option_without_a_value_is_bad_usage(name: str, dry_run: tuple[str, ...], option: str) -> None:
    done = command(name, *dry_run, "--", option, environment={"PATH": "/nowhere"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {option}: it is the last argument and has no value; add a value\n"


@pytest.mark.parametrize("option", ["--print", "--list=targets"])
@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_a_bake_that_builds_nothing_is_bad_usage(dry_run: tuple[str, ...], option: str) -> None:
    done = command("bake", *dry_run, "--", option, "web", environment={"PATH": "/nowhere"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "with it a bake builds nothing" in done.stderr
