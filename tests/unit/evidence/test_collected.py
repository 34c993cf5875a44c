"""The check that every build of the engine tests goes through finds what deviates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.metadata_schema import check_metadata

FOLDER = Path(__file__).parents[1] / "documents"
VALID = [*FOLDER.glob("valid/metadata/*.json"), *FOLDER.glob("valid/bake/*.json")]
INVALID = [*FOLDER.glob("invalid/metadata/*.json"), *FOLDER.glob("invalid/bake/*.json")]


@pytest.mark.parametrize("path", VALID, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_valid_file_passes(path: Path) -> None:
    check_metadata(path.read_text(), path.parent.name)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_invalid_file_is_found(path: Path) -> None:
    with pytest.raises((AssertionError, json.JSONDecodeError)):
        check_metadata(path.read_text(), path.parent.name)


@pytest.mark.parametrize("text", ["", "{", "null"])
def test_what_is_no_metadata_is_found(text: str) -> None:
    with pytest.raises((AssertionError, json.JSONDecodeError)):
        check_metadata(text, "metadata")
