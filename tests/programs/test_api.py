"""The Python API without an engine: its names, its types, and the arguments that it takes."""

from __future__ import annotations

import ast
import csv
import io
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import action
from action.buildx import keyword_arguments
from action.exporters.output import parse_output
from action.process.log import CallersStream

ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("pydantic", "jsonschema", "tenacity")


def _python(code: str, *, path: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=path,
        env={**os.environ, "PYTHONPATH": str(path), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_importing_the_package_imports_no_other_module_of_it_and_no_third_party_module() -> None:
    done = _python(
        "import sys; before = set(sys.modules); import action; print(*sorted(set(sys.modules) - before), sep='\\n')"
    )
    assert done.stdout.split() == ["action"], done.stderr


def test_every_public_name_can_be_imported() -> None:
    for name in action.__all__:
        assert getattr(action, name) is not None
    assert set(dir(action)) == set(action.__all__)


def test_the_stub_lists_the_public_names_and_imports_each_from_where_it_is_defined() -> None:
    tree = ast.parse((ROOT / "action/__init__.pyi").read_text(encoding="utf-8"))
    imported = {
        alias.asname: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == alias.asname
    }
    (listed,) = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)]
    assert sorted(listed) == sorted(action.__all__)
    assert {*imported, "__version__"} == set(action.__all__)
    assert imported == {name: getattr(action, name).__module__ for name in imported}


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="module 'action' has no attribute 'biuld'"):
        getattr(action, "biuld")  # noqa: B009  # mypy knows that there is none


_WRONG: list[tuple[Callable[[], object], str]] = [
    (action.build, r"^context: no build context is given; name a folder or a URL: context=\"\.\"$"),
    (lambda: action.build("--push ."), r"^arguments: '--push \.' is one text; give a list, such as \['--push', '\.'\]"),
    (lambda: action.build([1]), "^arguments: 1 is not valid"),  # type: ignore[list-item]
    (lambda: action.build(["--tag"]), "^--tag: it is the last argument and has no value"),
    (lambda: action.build(context="--push"), r"^context: '--push' is not valid; .* write \./--push$"),
    (lambda: action.build(context=""), "^context: '' is not valid; give a string that is not empty$"),
    (lambda: action.build(context=".", folder="/nowhere"), "^folder: there is no folder '/nowhere'"),
    (lambda: action.build(context=".", outputs={}), "^outputs: '' is not valid"),
    (lambda: action.build(context=".", outputs={"dest": "a.tar"}), "^--output: 'dest=a.tar' has no type"),
    (lambda: action.build(context=".", outputs={"type": None}), "^outputs: the value of type is None"),
    (lambda: action.build(context=".", outputs=[{"type": "oci", "id": "1"}]), "^--output: id '1' is all digits"),
    (lambda: action.build(context=".", outputs="type=oci,dest=-"), "^outputs: one of them writes to standard output"),
    (lambda: action.build(context=".", outputs={"type": "tar"}), "^outputs: one of them writes to standard output"),
    (lambda: action.build(["--call=check", "."]), "^--call: with it nothing is built"),
    (lambda: action.build(["--check", "."]), "^--call: with it nothing is built"),
    (lambda: action.build(context=".", tags=[""]), "^tags: '' is not valid"),
    (lambda: action.build(context=".", platforms=[1]), "^platforms: 1 is not valid"),  # type: ignore[list-item]
    (lambda: action.build(context=".", build_args={"A=B": "1"}), "^build_args: the name 'A=B' is not valid"),
    (lambda: action.build(context=".", build_args=["A=B"]), "^build_args: .* is not a mapping"),  # type: ignore[arg-type]
    (lambda: action.build(context=".", secrets={"": "hunter2"}), "^secrets: '' is not valid; (?!.*hunter2)"),
    (lambda: action.build(context=".", retries=-1), "^retries: '-1' is not valid; write a whole number from 0 to 20"),
    (lambda: action.bake(["--print"]), "^--print: with it a bake builds nothing"),
    (lambda: action.bake(targets="--push"), "^targets: '--push' is not valid"),
    (lambda: action.merge("/nowhere", tags="localhost:5000/app:1"), "^results: /nowhere does not exist"),
    (lambda: action.merge([], tags="localhost:5000/app:1"), "^results: the list is empty"),
    (lambda: action.validate("x.json", schema="result"), "^schema: 'result' is not valid; name metadata"),  # type: ignore[arg-type]
    (lambda: action.inspect("/nowhere.json"), "/nowhere.json: "),
]


@pytest.mark.parametrize(("call", "message"), _WRONG)
def test_an_argument_that_cannot_be_used_is_an_error_that_says_what_to_do(
    call: Callable[[], object], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((action.InputError, action.DocumentError), match=message):
        call()
    assert tuple(capfd.readouterr()) == ("", "")


def test_a_file_that_does_not_exist_is_a_fault() -> None:
    (fault,) = action.validate("/nowhere.json")
    assert isinstance(fault, action.DocumentError)
    assert fault.source == "/nowhere.json"


_ATTRIBUTES: list[Mapping[str, str | int | Path]] = [
    {"type": "image", "name": "app:1,app:2", "push": True},
    {"type": "oci", "dest": 'a "quoted", name.tar', "id": "archive"},
    {"type": "local", "dest": Path("out,dir")},
    {"type": "image", "annotation.note": 'one\ntwo, "three"', "compression-level": 3},
    {"type": "image", "annotation.note": " spaces ", "annotation.empty": "", "oci-mediatypes": False},
    {"type": "image", "annotation.note": "carriage\rreturn"},
]


@pytest.mark.parametrize("attributes", _ATTRIBUTES)
def test_the_attributes_of_an_output_are_one_csv_record(attributes: Mapping[str, str | int | Path]) -> None:
    (record,) = keyword_arguments.records("outputs", attributes)
    written = {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in attributes.items()
    }
    assert list(csv.reader(io.StringIO(record, newline=""), strict=True)) == [
        [f"{name}={value}" for name, value in written.items()]
    ]
    read = parse_output(record, 0)
    own = {"type": read.type, "dest": read.dest, "id": read.id}
    assert {**{name: value for name, value in own.items() if value is not None}, **read.attributes} == written


def test_a_single_value_is_a_list_of_one() -> None:
    assert keyword_arguments.texts("tags", "app:1") == keyword_arguments.texts("tags", ["app:1"]) == ["app:1"]
    assert keyword_arguments.records("outputs", "type=oci") == ["type=oci"]
    assert keyword_arguments.records("outputs", {"type": "oci"}) == ["type=oci"]
    assert keyword_arguments.paths(Path("a")) == keyword_arguments.paths(["a"]) == ["a"]


def test_the_text_of_a_secret_is_in_the_environment_only() -> None:
    values, environment = keyword_arguments.secret_options({"TOKEN": "hunter2", "npm": Path("a,b")})
    variable = "BUILD_DIGESTS_SECRET_0"
    assert (values, environment) == ([f"id=TOKEN,env={variable}", 'id=npm,"src=a,b"'], {variable: "hunter2"})


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    "error",
    [
        action.InputError("push", "it is wrong", "write true"),
        action.DocumentError("a.json", "/digest", "expected a digest"),
        action.BuildFailedError("buildx failed"),
    ],
)
def test_an_error_can_be_pickled_with_all_that_it_has(error: action.BuildDigestsError) -> None:
    error.log = "the end of the log"
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
    with ProcessPoolExecutor(1) as pool, pytest.raises(type(error), match=str(error)):
        pool.submit(_raise, error).result()


class _Broken(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        raise RuntimeError(data)


def test_a_log_can_be_a_binary_stream_a_text_stream_or_a_broken_one() -> None:
    binary, text = io.BytesIO(), io.StringIO()
    data = "a → b\n".encode()
    for target in (binary, text):
        stream = CallersStream(target)
        # A character may be split between two reads of the pipe.
        assert [stream.write(data[:3]), stream.write(data[3:])] == [3, len(data) - 3]
    assert (binary.getvalue(), text.getvalue()) == (data, "a → b\n")
    broken: io.RawIOBase = _Broken()
    assert CallersStream(broken).write(data) == len(data)  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", _PACKAGES)
def test_a_missing_package_is_an_import_error_and_nothing_is_installed(missing: str, tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys, urllib.request\n"
        f"sys.modules[{missing!r}] = None\n"
        "def refuse(*_, **__): raise SystemExit('a program was started')\n"
        "subprocess.Popen.__init__ = urllib.request.urlopen = refuse\n"
        "try:\n    from action import build\n    build(context='.')\n"
        "except ImportError as error: print(error)\n"
    )
    cache = tmp_path / "cache"
    done = _python(code, RUNNER_TOOL_CACHE=str(cache), XDG_CACHE_HOME=str(cache), TMPDIR=str(tmp_path))
    assert missing in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_wheel_has_the_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert {"action/py.typed", "action/__init__.pyi"} <= set(archive.namelist())


_USER = """
from pathlib import Path
from action import BakeResults, BuildFailedError, BuildResults, DocumentError, bake, build, inspect, merge, validate

results: BuildResults = build(
    context=Path("."), outputs=[{"type": "image", "name": "app", "push": True}, "type=oci,dest=a.tar"], tags="a:1"
)
digest: str | None = results.exporters[0].digest
digests: dict[str, str] = results.digests
baked: BakeResults = bake(targets=["web"], variables={"TAG": "1"})
merged: BuildResults = merge([results, results], tags=["a:1"])
faults: list[DocumentError] = validate("a.json", schema="results")
found: BuildResults = inspect(Path("m.json"), outputs={"type": "oci", "dest": Path("a.tar")})
try:
    build(["."], log=__import__("sys").stderr, on_message=print)
except BuildFailedError as error:
    text: str = error.log
"""

_MISUSE = """
import action
action.build(contxt=".")
action.build(context=".", push="yes")
action.build(context=".", build_args=["A=B"])
action.build(context=".").digets
action.validate("a.json", schema="result")
digest: str = action.build(context=".").digest
action.biuld
"""


def test_a_type_checker_finds_misuse_and_nothing_else(wheel: Path, tmp_path: Path) -> None:
    # The wheel beside the packages that it needs, as pip installs it: mypy reads py.typed only of installed packages.
    (tmp_path / "user.py").write_text(_USER)
    (tmp_path / "misuse.py").write_text(_MISUSE)
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=60)
    (packages,) = environment.glob("lib/*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (dependencies,) = (ROOT / ".venv").glob("lib/*/site-packages")
    (packages / "dependencies.pth").write_text(f"{dependencies}\n")
    python = environment / "bin" / "python"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file=",
            f"--python-executable={python}",
            "user.py",
            "misuse.py",
        ],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    found = [line.split(":")[:2] for line in done.stdout.splitlines() if ": error:" in line]
    assert found == [["misuse.py", str(line)] for line in range(3, 10)], done.stdout + done.stderr
