"""What a package index gets: an sdist that is a working action, and a wheel that brings what the command needs."""

from __future__ import annotations

import email
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from action import __version__
from tests.installed import needed
from tests.programs.launching import launch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an unpacked sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (file,) = folder.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        archive.extractall(folder)
    return folder / f"build_digests-{__version__}"


def _run(code: str, installed: tuple[Path, Path], *arguments: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path[:0] = sys.argv[1:3]; del sys.argv[1:3]; {code}"
    command = [sys.executable, "-I", "-S", "-c", code, *map(str, installed), *arguments]
    return subprocess.run(command, cwd=installed[0].parent, capture_output=True, text=True, timeout=60, check=False)


def test_pip_installs_with_the_command_only_what_it_needs(
    installed: tuple[Path, Path], wheel_metadata: email.message.Message, tmp_path: Path
) -> None:
    names = {name.lower() for name in needed(wheel_metadata.get_all("Requires-Dist") or [])}
    assert {"pydantic", "click", "jsonschema"} <= names
    assert not names & {"actions-toolkit", "pygithub", "requests", "cryptography"}
    assert not (installed[1] / "tests").exists()
    _use_the_command(installed, tmp_path)


def test_the_command_runs_with_the_oldest_packages_that_it_allows(
    installed: tuple[Path, Path], wheel_metadata: email.message.Message, tmp_path: Path
) -> None:
    packages = tmp_path / "oldest"
    uv = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable, "--only-binary", ":all:")
    direct = [each for each in wheel_metadata.get_all("Requires-Dist") or [] if "extra ==" not in each]
    # For uv, the requirements of a wheel are not direct ones.
    subprocess.run((*uv, "--resolution", "lowest-direct", "--target", packages, *direct), check=True, timeout=120)
    _use_the_command((installed[0], packages), tmp_path)


def _use_the_command(installed: tuple[Path, Path], folder: Path) -> None:
    digest = f"sha256:{64 * 'a'}"
    document = folder / "metadata.json"
    document.write_text(json.dumps({"containerimage.digest": digest, "image.name": "localhost/app"}))

    def run(*arguments: str) -> str:
        done = _run("from action.__main__ import main; main()", installed, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("--version").split()[-1] == __version__
    output = ("--output", "type=image,name=localhost/app,push=true", "--format", "json")
    assert json.loads(run("inspect", str(document), *output))["digest"] == digest
    run("validate", str(document))
    assert json.loads(run("schema", "results"))["title"]
    assert json.loads(run("build", "--dry-run", "--", "."))[0] == "build"


def test_every_module_can_be_imported_without_the_extra(installed: tuple[Path, Path]) -> None:
    # PyGithub alone is imported where a comment is written, by one module.
    names = sorted(
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in (ROOT / "action").rglob("*.py")
        if file.name not in {"__main__.py", "start.py"} and file != ROOT / "action/github/api.py"
    )
    done = _run(f"import importlib; [importlib.import_module(each) for each in {names}]", installed)
    assert done.returncode == 0, done.stderr


def test_an_annotation_without_the_extra_says_what_to_install(installed: tuple[Path, Path]) -> None:
    code = "from action.report.annotations import *; print_annotation(Annotation('title', 'message', None, None))"
    done = _run(code, installed)
    assert "PackagesError: actions_toolkit is missing: pip install 'build-digests[github]'" in done.stderr


def test_the_extra_github_brings_what_the_steps_import(wheel_metadata: email.message.Message) -> None:
    requirements = [Requirement(each) for each in wheel_metadata.get_all("Requires-Dist") or []]
    extra = {each.name.lower() for each in requirements if each.marker and each.marker.evaluate({"extra": "github"})}
    assert extra == {"actions-toolkit", "pygithub"}


def test_a_classifier_names_each_python_that_the_actions_workflow_tests(wheel_metadata: email.message.Message) -> None:
    workflow = (ROOT / ".github/workflows/action.yml").read_text(encoding="utf-8")
    tested = set(re.findall(r'"(3\.\d+)"', workflow))
    classifiers = wheel_metadata.get_all("Classifier") or []
    named = {each.rpartition(" ")[2] for each in classifiers if re.search(r":: 3\.\d+$", each)}
    assert named == tested
    assert f">={min(named, key=lambda each: int(each[2:]))}" == wheel_metadata["Requires-Python"]


def test_the_readme_on_a_package_index_links_to_the_files_of_its_version(wheel_metadata: email.message.Message) -> None:
    text = wheel_metadata.get_payload()
    assert isinstance(text, str)
    targets = re.findall(r"\]\(([^)\s]+)|(?:src|srcset|href)=\"([^\"]+)", text)
    links = ["".join(each) for each in targets]
    assert len(links) > 10
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    files = [re.sub(rf".*?/build-digests/(blob/)?v{__version__}/", "", each) for each in links]
    named = [each.partition("#")[0] for each in files if not each.startswith(("https://", "#"))]
    assert len(named) > 10
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_an_unpacked_sdist_is_a_working_action(unpacked: Path, bare_python: Path) -> None:
    assert {"action.yml", "bake", "merge", "promote", "launcher", "requirements"} <= {
        each.name for each in unpacked.iterdir()
    }
    path = f"{bare_python.parent}:/usr/bin:/bin"
    done = launch(path, "build", unpacked, unpacked / "launcher", INPUT_PUSH="perhaps")
    assert "::error::push: 'perhaps' is not a boolean; write true or false" in done.stdout
    assert done.returncode == 2


def test_an_unpacked_sdist_passes_its_own_tests(unpacked: Path) -> None:
    # A part of them, with this environment; the import of `action` is that of the sdist.
    tests = (
        "tests/unit/exporters/test_attribution.py",
        "tests/unit/documents/test_schema.py",
        "tests/unit/test_docs.py",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *tests]
    done = subprocess.run(command, cwd=unpacked, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d{2,} passed", done.stdout, re.MULTILINE)
