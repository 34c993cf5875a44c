"""Digests as variables: whatever keys and targets are, a shell that reads the file runs nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from action.errors import InputError
from action.exporters.attributed import AttributedBuild, AttributedExporter
from action.report.outputs import check_variable_names, dotenv_text, github_text
from tests.github_output import read_github_output

DIGEST, OTHER = "sha256:" + "a" * 64, "sha512:" + "b=Z_-" * 25
HOSTILE = "$(touch ran)\n`touch ran`;A=b #\"'\\é\ud800"


def _build(*keys: str, digest: str | None = DIGEST) -> AttributedBuild:
    return AttributedBuild(
        None,
        tuple(
            AttributedExporter(
                key=key,
                index=index,
                id=key,
                type="image",
                names=("localhost/app\n::error::x",),
                push=True,
                dest=None,
                digest=digest,
                imageid=None,
                descriptor=None,
                platforms=(),
                evidence="record",
            )
            for index, key in enumerate(keys)
        ),
    )


def test_a_digest_has_the_name_of_its_key_in_upper_case() -> None:
    assert dotenv_text({"": _build("release", "web-app.1", "0")}, bake=False) == (
        f"DIGEST_RELEASE={DIGEST}\nDIGEST_WEB_APP_1={DIGEST}\nDIGEST_0={DIGEST}\n"
    )
    assert dotenv_text({"": _build("a", digest=None)}, bake=False) == ""
    bake = {"web": _build("release"), "api": _build("release", digest=OTHER)}
    assert dotenv_text(bake, bake=True) == f"DIGEST_WEB_RELEASE={DIGEST}\nDIGEST_API_RELEASE={OTHER}\n"


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_that_reads_the_file_runs_nothing_and_sets_one_variable_for_each_digest(
    tmp_path: Path, shell: str
) -> None:
    builds = {HOSTILE: _build(HOSTILE, "x"), "web": _build("ıß", digest=OTHER)}
    (tmp_path / "digests.env").write_text(dotenv_text(builds, bake=True), encoding="ascii")
    script = "set -eu; . ./digests.env; set | grep ^DIGEST_ | wc -l; echo $DIGEST_WEB___"
    done = subprocess.run([shell, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["3", OTHER]
    assert done.stderr == ""
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("keys", "bake", "said"),
    [
        ({"": ["a-b", "a.B"]}, False, "'a-b' and 'a.B' both become DIGEST_A_B"),
        ({"a": ["b_c"], "a_b": ["c"]}, True, "'b_c' of target 'a' and 'c' of target 'a_b' both become DIGEST_A_B_C"),
    ],
)
def test_two_exporters_with_one_name_are_refused(keys: dict[str, list[str]], bake: bool, said: str) -> None:  # noqa: FBT001
    with pytest.raises(InputError) as raised:
        check_variable_names(keys, bake=bake)
    assert str(raised.value).startswith(f"--format dotenv: {said}; give the outputs ids that differ")
    with pytest.raises(InputError):
        dotenv_text({target: _build(*each) for target, each in keys.items()}, bake=bake)


def test_step_outputs_stay_apart_whatever_names_and_metadata_hold(tmp_path: Path) -> None:
    file = tmp_path / "output"
    metadata = '{\n"a": "x"\nghadelimiter_1\ndigest<<EOF\nwrong\nEOF\n}'
    text = github_text({"": _build("release")}, {"metadata": metadata, "results": ""}, bake=False)
    file.write_text(text, encoding="utf-8")
    outputs = read_github_output(file)
    assert outputs["metadata"] == metadata
    assert outputs["digest"] == DIGEST
    assert outputs["digests"] == f'{{"release":"{DIGEST}"}}'
    assert "results" not in outputs
