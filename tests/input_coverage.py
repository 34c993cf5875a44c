"""Check that a whole run of the tests used every input of the actions, and every documented form of its value.

Each run of an action on the real engine or under act that succeeds leaves its inputs in a folder that all processes of
the test run share. At the end of the whole run they are compared with the inputs that the action.yml files declare and
with the forms below. An input that is new in an action.yml fails the run until a test uses it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
ACTIONS = {
    "build": "action.yml",
    "bake": "bake/action.yml",
    "matrix": "bake/subaction/matrix/action.yml",
    "merge": "merge/action.yml",
    "promote": "promote/action.yml",
    "validate": "validate/action.yml",
}
FOLDER_VARIABLE = "BUILD_DIGESTS_USED_INPUTS"

_ANY_URL = r"(?:https?|git|ssh)://|git@"
_DEFAULT_CONTEXT = r"\A\{\{ ?defaultContext ?\}\}"
_SEVERAL_LINES = r"[^\n]\n+[^\n]"
_SEVERAL = {"several": r"[^,\n](?:,|\n)+[^,\n]"}
_LIST = {"one": r"\A[^,\n]+\Z", **_SEVERAL}
_CALL = {name: rf"\A{name}\b" for name in ("check", "outline", "targets")}
_SBOM = {"true": r"\Atrue\Z", "false": r"\Afalse\Z", "generator": r"\bgenerator=."}
_PROVENANCE = {
    "true": r"\Atrue\Z",
    "false": r"\Afalse\Z",
    "mode=min": r"\bmode=min\b",
    "mode=max": r"\bmode=max\b",
    "attributes": r"\b(?:builder-id|inline-only|version|reproducible|filename)=.",
}
_CACHE_TYPES = ("registry", "local", "gha", "s3", "azblob")

FORMS: dict[str, dict[str, dict[str, str]]] = {
    "build": {
        "add-hosts": _SEVERAL,
        "annotations": {"plain": r"^[\w./-]+=", "with a level": r"^(?:index|manifest)[\w,\[\]/-]*:[\w./-]+="},
        "attests": {"provenance": r"^type=provenance", "sbom": r"^type=sbom"},
        "build-args": {"one": r"\A\w+=[^\n]+\Z", "several": _SEVERAL_LINES},
        "build-contexts": {
            "path": r"^[\w./-]+=(?!\w[\w-]*://|git@|target:)[^\n]",
            "image": r"^[\w./-]+=docker-image://",
            "OCI layout": r"^[\w./-]+=oci-layout://",
            "URL": rf"^[\w./-]+=(?:{_ANY_URL})",
        },
        "cache-from": {
            "image": r"^[^\n,=]+$",
            **{f"type={kind}": rf"\btype={kind}\b" for kind in _CACHE_TYPES},
            "several": _SEVERAL_LINES,
        },
        "cache-to": {
            **{f"type={kind}": rf"\btype={kind}\b" for kind in (*_CACHE_TYPES, "inline")},
            "mode=max": r"\bmode=max\b",
            "several": _SEVERAL_LINES,
        },
        "call": _CALL,
        "compare": {"tag": r":[\w.-]+\Z", "digest": r"@sha256:"},
        "context": {
            "path": rf"\A(?!{_ANY_URL}|\{{)[^\n]",
            "Git URL": rf"\A(?:{_ANY_URL})",
            "default context": rf"{_DEFAULT_CONTEXT}\Z",
            "folder of the default context": rf"{_DEFAULT_CONTEXT}:.",
            "empty": r"\A\Z",
        },
        "labels": {
            "one": r"\A[^\n]+=[^\n]+\Z",
            "several": _SEVERAL_LINES,
            "several lines in quotes": r'^"[^"\n]+\n[^"]+"',
        },
        "network": {"none": r"\Anone\Z", "host": r"\Ahost\Z"},
        "no-cache-filters": _SEVERAL,
        "outputs": {
            **{
                f"type={kind}": rf"\btype={kind}\b"
                for kind in ("image", "registry", "oci", "docker", "local", "tar", "cacheonly")
            },
            "path": r"^[^=\n,-][^=\n,]*$",
            "standard output": r"^-$",
            "id": r"\bid=.",
            "several": _SEVERAL_LINES,
            "quoted": r'"',
        },
        "platforms": _LIST,
        "provenance": _PROVENANCE,
        "sbom": _SBOM,
        "secret-envs": _SEVERAL,
        "secret-files": {"one": r"\A[^\n]+=[^\n]+\Z", "several": _SEVERAL_LINES},
        "secrets": {"one line": r"^[\w-]+=[^\n]", "several lines in quotes": r'^"[\w-]+=[^"\n]*\n[^"]*"'},
        "ssh": {"agent": r"^default$", "key or socket": r"^[\w-]+=."},
        "tags": {"one": r"\A[^,\n]+\Z", "commas": r"[^,\n],[^,\n]", "lines": _SEVERAL_LINES},
        "ulimit": {"several": _SEVERAL_LINES},
    },
    "bake": {
        "call": _CALL,
        "compare": {"image": r"^[^=\n]+$", "of a target": r"^[\w-]+="},
        "files": {**_LIST, "of this machine, with a remote definition": r"\bcwd://"},
        "provenance": _PROVENANCE,
        "sbom": _SBOM,
        "set": {
            "target": r"^\"?[\w-]+\.",
            "pattern": r"^\"?[\w-]*\*[\w-]*\.",
            "several": _SEVERAL_LINES,
            **{
                key: rf"^\"?[\w*-]+\.{key}\b"
                for key in ("args", "cache-from", "cache-to", "output", "platform", "tags")
            },
        },
        "source": {
            "path": rf"\A(?!{_ANY_URL}|\{{)[^\n]",
            "Git URL": rf"\A(?:{_ANY_URL})",
            "default context": rf"{_DEFAULT_CONTEXT}\Z",
            "empty": r"\A\Z",
        },
        "targets": _LIST,
    },
    "matrix": {"fields": _LIST, "files": _LIST},
    "merge": {
        "expect-platforms": _LIST,
        "keys": _LIST,
        "tags": {**_LIST, "of a key": r"^[\w.-]+=[^\n]"},
    },
    "promote": {
        "keys": _LIST,
        "source": {"image by its digest": "@sha256:", "results file": r"\.json$"},
        "tags": {**_LIST, "of a key": r"^[\w.-]+=[^\n]"},
    },
    "validate": {"files": {"path": r"^[^!*\n]+$", "pattern": r"\*", "left out": "^!", **_SEVERAL}},
}
"""The documented forms of an input's value: action, input, name of the form, and a pattern that is searched for in the
value, `^` and `$` being the ends of a line. Of an input that is not here any value but its default counts."""

_NO_SCANNER = "Docker's own scanner image is in no registry that the tests reach"
_NO_S3, _NO_AZURE = "no S3 service runs beside the tests", "no Azure service runs beside the tests"
EXEMPT: dict[str, str] = {
    "build: cache-from: type=s3": _NO_S3,
    "build: cache-to: type=s3": _NO_S3,
    "build: cache-from: type=azblob": _NO_AZURE,
    "build: cache-to: type=azblob": _NO_AZURE,
    "build: sbom: true": _NO_SCANNER,
    "bake: sbom: true": _NO_SCANNER,
}
"""What no test can use, and why. What a test uses after all must not be here."""


def keep(action: str, inputs: Mapping[str, str]) -> None:
    """Keep the inputs of a run that succeeded, if somebody wants them."""
    if folder := os.environ.get(FOLDER_VARIABLE):
        Path(folder, f"{uuid.uuid4().hex}.{action}").write_text(json.dumps(inputs), encoding="utf-8")


def cannot_use(*what: str) -> None:
    """Excuse a test that is skipped on this machine: nothing else can use what it would use.

    Args:
        what: inputs and forms, as the check names them.
    """
    if folder := os.environ.get(FOLDER_VARIABLE):
        Path(folder, f"{uuid.uuid4().hex}.excused").write_text(json.dumps(what), encoding="utf-8")


def excused(folder: Path) -> set[str]:
    """Return what tests that were skipped would use."""
    return {what for file in folder.glob("*.excused") for what in json.loads(file.read_text(encoding="utf-8"))}


def kept(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Return the inputs of each run of each action."""
    return {
        action: [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob(f"*.{action}"))]
        for action in ACTIONS
    }


def declared(action: str) -> dict[str, str]:
    """Return each input that an action's file declares, and its default."""
    document: dict[str, Any] = yaml.safe_load((ROOT / ACTIONS[action]).read_text(encoding="utf-8"))
    return {name: str(described.get("default", "")) for name, described in document["inputs"].items()}


def unused(action: str, defaults: Mapping[str, str], runs: Iterable[Mapping[str, str]]) -> list[str]:
    """Name each input that no run used, and each form of one.

    Args:
        action: a key of ACTIONS.
        defaults: each input and its default.
        runs: the inputs of each run.
    """
    values: dict[str, set[str]] = {name: set() for name in defaults}
    for run in runs:
        for name, default in defaults.items():
            values[name].add(str(run.get(name, default)).strip())
    missing = []
    for name, default in defaults.items():
        if not values[name] - {default, ""}:
            missing.append(f"{action}: {name}")
            continue
        for form, pattern in FORMS[action].get(name, {}).items():
            what = f"{action}: {name}: {form}"
            used = any(re.search(pattern, value, re.MULTILINE) for value in values[name])
            if used and what in EXEMPT:
                missing.append(f"{what}: is used, and must not be exempt")
            elif not used and what not in EXEMPT:
                missing.append(what)
    return missing


def _is_whole_run(config: pytest.Config) -> bool:
    """Whether all tests were asked for, and not only some."""
    option = config.option
    chosen = (
        option.keyword,
        option.markexpr,
        option.deselect,
        option.collectonly,
        config.getoption("lf", default=False),
    )
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not any(chosen)


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder before xdist starts its processes, which find it in their environment."""
    if not hasattr(config, "workerinput") and _is_whole_run(config):
        os.environ[FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="used-inputs-")
        config.stash[_FOLDER] = Path(os.environ[FOLDER_VARIABLE])


_FOLDER = pytest.StashKey[Path]()
_UNUSED = pytest.StashKey[list[str]]()
_EXCUSED = pytest.StashKey[set[str]]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a whole run that passed and left an input unused."""
    folder = session.config.stash.get(_FOLDER, None)
    if folder is None:
        return
    runs, not_here = kept(folder), excused(folder)
    shutil.rmtree(folder)
    os.environ.pop(FOLDER_VARIABLE, None)
    if exitstatus != pytest.ExitCode.OK:
        # A test that failed used nothing.
        return
    missing = [
        each for action in ACTIONS for each in unused(action, declared(action), runs[action]) if each not in not_here
    ]
    session.config.stash[_UNUSED] = missing
    session.config.stash[_EXCUSED] = not_here
    if missing:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the inputs that are not used."""
    missing = config.stash.get(_UNUSED, [])
    not_here = config.stash.get(_EXCUSED, set())
    if not_here:
        terminalreporter.line(f"inputs that cannot be tested on this machine: {', '.join(sorted(not_here))}")
    if missing:
        terminalreporter.section("inputs that no test uses", sep="!", red=True)
        for each in missing:
            terminalreporter.line(f"FAILED {each}", red=True)
        terminalreporter.line(
            "Each input of an action.yml, and each form in tests/input_coverage.py, needs a test that runs the action "
            "with it on the real engine or under act and succeeds."
        )
