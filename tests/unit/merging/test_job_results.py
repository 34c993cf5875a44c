from __future__ import annotations

from pathlib import Path

import pytest

from action.errors import InputError
from action.exporters.attributed import document_text
from action.merging.job_results import read_folder
from tests.unit.merging.jobs import digest_of, document, exporter, results


def write(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_every_results_file_in_a_folder_and_its_subfolders_is_read(tmp_path: Path) -> None:
    write(tmp_path, "b.json", document(results(exporter(digest="b"))))
    write(tmp_path, "a/deep/results.json", document(results(exporter(digest="a"))))
    write(tmp_path, "notes.txt", "not read")
    jobs, errors = read_folder(tmp_path, "")
    assert errors == ()
    assert [(job.file, job.results.digest) for job in jobs] == [
        ("a/deep/results.json", digest_of("a")),
        ("b.json", digest_of("b")),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "bad.json: at the top: expected a JSON document, found nothing"),
        ("{", "bad.json: at the top: expected the rest of a JSON document"),
        ('{"version": 2, "targets": {}}', "bad.json: at /version: expected the version of this format: 1"),
        ('{"containerimage.digest": "sha256:x"}', "bad.json: at the top: 'version' is a required property"),
        ('{"version": 1, "ref": null, "digest": "x", "imageid": null, "exporters": []}', "bad.json: at /digest: "),
    ],
)
def test_a_file_that_does_not_match_the_schema_is_named_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, "good.json", document(results(exporter())))
    write(tmp_path, "bad.json", text)
    jobs, errors = read_folder(tmp_path, "")
    assert [job.file for job in jobs] == ["good.json"]
    assert str(errors[0]).startswith(message)


def test_unknown_members_are_accepted(tmp_path: Path) -> None:
    text = document(results(exporter())).replace('"version"', '"later": {"x": 1}, "version"')
    write(tmp_path, "r.json", text)
    assert read_folder(tmp_path, "")[1] == ()


def test_the_only_target_of_a_bake_is_used_and_otherwise_the_one_named(tmp_path: Path) -> None:
    web, api = results(exporter(digest="web")), results(exporter(digest="api"))
    write(tmp_path, "r.json", document_text({"web": web}, bake=True))
    assert read_folder(tmp_path, "")[0][0].results == web
    write(tmp_path, "r.json", document_text({"web": web, "api": api}, bake=True))
    assert read_folder(tmp_path, "api")[0][0].results == api
    assert "the targets web, api: set target" in str(read_folder(tmp_path, "")[1][0])
    assert "no target wbe; it has: web, api" in str(read_folder(tmp_path, "wbe")[1][0])


def test_a_target_is_rejected_for_the_results_of_a_build(tmp_path: Path) -> None:
    write(tmp_path, "r.json", document(results(exporter())))
    assert "leave target empty" in str(read_folder(tmp_path, "web")[1][0])


def test_a_missing_folder_or_one_without_results_is_rejected(tmp_path: Path) -> None:
    write(tmp_path, "file", "")
    for name, what in (
        ("nowhere", "does not exist"),
        ("file", "is not a folder"),
        (".", r"no results file \(\*.json\)"),
    ):
        with pytest.raises(InputError, match=what):
            read_folder(tmp_path / name, "")
