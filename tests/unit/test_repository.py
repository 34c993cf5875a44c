"""Files for GitHub: actions that are pinned by commit, updates of everything that is pinned, owners of what exists."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
_USES = re.compile(r"^\s*(?:- )?uses: (?!\./|build-digests/)([\w./-]+)@(\S+)(?: # (\S+))?", re.MULTILINE)
_GITHUB = ROOT / ".github"


def _workflows() -> list[Path]:
    folders = (_GITHUB / "workflows", ROOT / "examples", ROOT / "examples/act/.github/workflows")
    return [file for folder in folders for file in folder.glob("*.yml")]


def test_each_action_is_pinned_by_commit_with_its_version_and_a_version_has_one_commit() -> None:
    commits: dict[tuple[str, str], set[str]] = defaultdict(set)
    for file in _workflows():
        for name, commit, version in _USES.findall(file.read_text(encoding="utf-8")):
            assert re.fullmatch(r"[0-9a-f]{40}", commit), f"{file.name}: {name}"
            assert re.fullmatch(r"v\d+\.\d+\.\d+", version), f"{file.name}: {name}"
            repository = "/".join(name.split("/")[:2])
            commits[repository, version].add(commit)
    assert len(commits) > 5
    assert [each for each, pinned in commits.items() if len(pinned) > 1] == []


def test_dependabot_updates_each_folder_that_pins_something() -> None:
    updates = yaml.safe_load((_GITHUB / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    folders = {each["package-ecosystem"]: set(each.get("directories", [each.get("directory")])) for each in updates}
    # In the folder `/` Dependabot reads .github/workflows, and in others the files of the folder itself.
    workflows = {str(file.parent.relative_to(ROOT)) for file in _workflows()} - {".github/workflows"}
    assert {"/", *(f"/{folder}" for folder in workflows)} <= folders["github-actions"]
    assert {"/", "/requirements"} == folders["pip"]
    packages = {file for file in ROOT.glob("*/*/package-lock.json") if ".cache" not in file.parts}
    assert {f"/{file.parent.relative_to(ROOT)}" for file in packages} == folders["npm"]


def test_code_owners_own_files_that_exist() -> None:
    lines = (_GITHUB / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    assert rules[0][0] == "*"
    assert all(owner.startswith("@") for _, *owners in rules for owner in owners)
    assert [path for path, *_ in rules[1:] if not (ROOT / path.lstrip("/")).exists()] == []


def test_an_issue_form_asks_for_what_finds_a_wrong_digest() -> None:
    form = yaml.safe_load((_GITHUB / "ISSUE_TEMPLATE/wrong-digest.yml").read_text(encoding="utf-8"))
    required = {each["id"] for each in form["body"] if each.get("validations", {}).get("required")}
    assert {"step", "results", "expected", "versions"} <= required


def test_vulnerabilities_and_breaches_of_conduct_are_reported_in_private() -> None:
    report = "**Security → Report a vulnerability**"
    for name in ("SECURITY.md", "CODE_OF_CONDUCT.md"):
        assert report in (ROOT / name).read_text(encoding="utf-8")
    links = yaml.safe_load((_GITHUB / "ISSUE_TEMPLATE/config.yml").read_text(encoding="utf-8"))["contact_links"]
    assert any(each["url"].endswith("/security/advisories/new") for each in links)
