"""Fuzz targets for what a user writes: step inputs, lists, outputs, secrets, command lines and bake definitions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from action.buildx.command_line import read_build_command_line
from action.buildx.definition import read_definition
from action.buildx.options import read_options
from action.errors import InputError
from action.exporters.output import parse_outputs
from action.exporters.requested import requested_exporters
from action.inputs.build import read_build_inputs
from action.inputs.secrets import read_secrets, secret_values
from action.inputs.values import csv_fields, csv_record, parse_inputs, split_lines, split_list, split_raw_lines
from fuzz.reader import Reader, allowing_errors, input_of, printable, texts

_MARKS = frozenset('",')


def _inputs(data: bytes) -> None:
    with allowing_errors():
        raw = parse_inputs(data.decode("utf-8", "replace"))
        for name, text in raw.items():
            printable(name)
            printable(text)
        inputs = read_build_inputs(raw)
        values = secret_values(inputs, {})
        secrets = read_secrets(inputs, lambda: "github.com")
        # buildx gets secrets only by environment variables, so each one must be known and masked.
        for environment in secrets.environment.values():
            assert environment in values or not environment.strip()
        outputs = parse_outputs(inputs.outputs)
        requested_exporters(outputs, tags=inputs.tags, push=inputs.push, load=inputs.load, call=inputs.call)


def _lists(data: bytes) -> None:
    (text,) = texts(data, 1)
    for split in (split_list, split_lines, lambda name, text: split_lines(name, text, strip=False)):
        with allowing_errors():
            _check_kept(text, split("tags", text))
    _check_kept(text, split_raw_lines(text))
    with allowing_errors():
        fields = csv_fields("outputs", text)
        _check_kept(text, fields)
        if fields:
            assert csv_fields("outputs", csv_record(fields)) == fields
    with allowing_errors():
        outputs = parse_outputs(split_raw_lines(text))
        identifiers = [output.id for output in outputs if output.id]
        assert len(set(identifiers)) == len(identifiers)
        requested = requested_exporters(outputs)
        keys = [exporter.key for exporter in requested.exporters]
        assert len(set(keys)) == len(keys)


def _check_kept(text: str, items: Iterable[str]) -> None:
    """Check that a split drops only quotes, commas and white space, and adds nothing."""
    assert _letters([text]) == _letters(items)


def _letters(items: Iterable[str]) -> Counter[str]:
    return Counter(each for item in items for each in item if each not in _MARKS and not each.isspace())


def _command_line(data: bytes) -> None:
    arguments = [text for text in texts(data, 12) if text]
    try:
        request = read_build_command_line(arguments)
    except InputError as error:
        printable(str(error))
        return
    assert request.arguments == ("build", *arguments)
    given = read_options(arguments)
    for values in given.options.values():
        for value in values:
            assert value == "true" or any(value in argument for argument in arguments)
    if "--" in arguments[:1]:
        assert not given.options


def _definition(data: bytes) -> None:
    with allowing_errors():
        for name, target in read_definition(data.decode("utf-8", "replace")).items():
            keys = [exporter.key for exporter in target.requested.exporters]
            assert len(set(keys)) == len(keys)
            printable(name + "".join(keys))


_OUTPUT = "type=image,name=ghcr.io/o/app,push=true,id=release"
INPUTS = Reader(
    "inputs",
    _inputs,
    (
        json.dumps({"tags": "a,b\nc", "outputs": f"{_OUTPUT}\ntype=local,dest=out", "push": "true"}).encode(),
        json.dumps({"secrets": 'A=b\n"C=d\ne"', "secret-envs": "X=Y", "github-token": "t", "call": "check"}).encode(),
        json.dumps({"Labels": 'a="b"', "retries": "3", "retry-delay": "0.5", "load": False, "context": None}).encode(),
    ),
    ("secret-files", "secrets", "outputs", "\\n", '\\"', "\\ud800", "\\u0000", "1e999", "Infinity", "id=", "type="),
)
LISTS = Reader(
    "lists",
    _lists,
    (_OUTPUT.encode(), b'a,"b,c""d"\n"e\nf",{"g": "h"}\r\ni', f'"{_OUTPUT}"\n-\nout\ntype=oci,dest=-'.encode()),
    ('""', '",', '"\n', "\r\n", "type=", "id=", "dest=", "push=", "name=", "\u2028", "\u0085", "\x1c", "\ufeff"),
)
COMMAND_LINE = Reader(
    "command-line",
    _command_line,
    (
        input_of("--output", _OUTPUT, "-t=a", "-qtb", "--push", "."),
        input_of("--metadata-file=m", "--load=false", "--call", "check", "--", "--push"),
    ),
    ("--output", "--tag", "--push", "--load", "--call", "--check", "--print", "--", "-o", "-t", "=", "\n%%\n"),
)
DEFINITION = Reader(
    "definition",
    _definition,
    (
        json.dumps(
            {
                "target": {
                    "web": {"output": [{"type": "image", "id": "x"}, "type=local,dest=o"], "tags": ["a"], "call": "x"},
                    "api": {"attest": ["type=provenance", {"type": "provenance"}], "output": None},
                }
            }
        ).encode(),
    ),
    ("target", "output", "tags", "attest", "call", "type=", "id=", "\\ud800", "null"),
)
