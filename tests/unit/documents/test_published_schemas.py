"""The schemas as others use them: each file alone, with check-jsonschema and with ajv, and without a network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from action.documents.schema import SCHEMAS
from engine.node import NODE
from tests.npm import installed

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(__file__).parent
_IN_A_TEXT = {"cache-cut-off", "cache-digest"}
"""Documents whose fault is in JSON inside a text: the specification leaves that to applications."""


def _schema(name: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / f"schemas/{name}.schema.json").read_text(encoding="utf-8")))


def _files(kind: str, name: str) -> list[Path]:
    return sorted(file for file in (FOLDER / kind / name).glob("*.json") if file.stem not in _IN_A_TEXT)


def _nodes(node: object, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        for number, item in enumerate(node):
            yield from _nodes(item, f"{place}/{number}")
    if isinstance(node, dict):
        yield place, node
        for key, value in node.items():
            if key not in {"examples", "const", "enum"}:
                yield from _nodes(value, f"{place}/{key}")


@pytest.mark.parametrize("name", SCHEMAS)
def test_check_jsonschema_finds_the_valid_documents_valid_and_the_others_not(name: str, tmp_path: Path) -> None:
    examples = [tmp_path / f"{number}.json" for number, _ in enumerate(_schema(name)["examples"])]
    for file, example in zip(examples, _schema(name)["examples"], strict=True):
        file.write_text(json.dumps(example))
    invalid = _files("invalid", name)
    program = Path(sys.executable).with_name("check-jsonschema")
    schema = ROOT / f"schemas/{name}.schema.json"
    files = [*examples, *_files("valid", name), *invalid]
    command = [str(program), "--output-format=json", f"--schemafile={schema}", *map(str, files)]
    # Nothing answers there: a schema that is not complete by itself would be asked for.
    nowhere = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        command, env={**os.environ, **nowhere}, capture_output=True, text=True, timeout=60, check=False
    )
    report = json.loads(done.stdout)
    assert report.get("parse_errors", []) == []
    assert invalid
    assert {each["filename"] for each in report["errors"]} == {str(file) for file in invalid}


@pytest.mark.parametrize("name", SCHEMAS)
def test_ajv_compiles_each_schema_strictly_and_finds_the_same_documents_invalid(name: str) -> None:
    valid, invalid = _files("valid", name), _files("invalid", name)
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in (*valid, *invalid)]
    done = subprocess.run(
        [str(NODE), "validate.mjs"],
        cwd=installed("ajv"),
        input=json.dumps({"schema": _schema(name), "documents": [*_schema(name)["examples"], *documents]}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = [bool(errors) for errors in json.loads(done.stdout)]
    assert found == [*[False] * (len(valid) + len(_schema(name)["examples"])), *[True] * len(invalid)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_has_a_title_a_description_and_valid_examples(name: str) -> None:
    schema = _schema(name)
    assert {"title", "description", "examples"} <= set(schema)
    assert all({"title", "description"} <= set(each) for each in schema["$defs"].values())
    validator = Draft202012Validator(schema)
    examples = [
        (place, list(validator.evolve(schema=node).iter_errors(example)))
        for place, node in _nodes(schema)
        for example in node.get("examples", ())
    ]
    assert len(examples) > 3
    assert [each for each in examples if each[1]] == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schemas_address_has_the_version_that_workflows_use(name: str) -> None:
    (version,) = set(re.findall(r"uses: build-digests/build-digests@(\S+)", (ROOT / "README.md").read_text()))
    folder = f"https://raw.githubusercontent.com/build-digests/build-digests/{version}/schemas"
    assert _schema(name)["$id"] == f"{folder}/{name}.schema.json"
    references = [node["$ref"] for _, node in _nodes(_schema(name)) if "$ref" in node]
    assert references
    assert [each for each in references if not each.startswith("#/$defs/")] == []


def test_the_schemas_of_both_metadata_files_have_the_same_definitions() -> None:
    assert _schema("bake")["$defs"] == _schema("metadata")["$defs"], "copy those of metadata.schema.json"
