"""Make the files of a release, or print its release notes."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from action import __version__
from action.packages.sets import SETS
from release.sbom import REPOSITORY, make_sbom

_ROOT = Path(__file__).resolve().parents[1]
_TAG = re.compile(r"v\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")
_NOTES_END = """
### Check the files

Each file of this release has an attestation. To check it, run
`gh attestation verify FILE --repo build-digests/build-digests`. `SHA256SUMS` has the hashes of all files, and
`build-digests-{tag}.cdx.json` lists the packages that the action installs.
"""


class ReleaseError(Exception):
    """Reason why a release must not be made."""


def main() -> NoReturn:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("what", choices=("files", "notes"), help="what to make")
    parser.add_argument("--tag", default="", help="the tag of the release; that of the package's version if empty")
    parser.add_argument("--folder", type=Path, default=_ROOT / "dist", help="where files go, created if it is missing")
    arguments = parser.parse_args()
    tag = arguments.tag or f"v{__version__}"
    try:
        check(tag)
        if arguments.what == "notes":
            print(notes(tag))
        else:
            make_files(tag, arguments.folder)
    except ReleaseError as error:
        sys.exit(f"{tag}: {error}")
    sys.exit()


def check(tag: str) -> None:
    """Check that a tag has the version of the package, and that the changelog has a section for it.

    Raises:
        ReleaseError: the tag has another version, or the changelog has no text for it.
    """
    if not _TAG.fullmatch(tag):
        raise ReleaseError("the tag is not a version; expected a tag such as v1.2.3 or v1.2.3rc1")
    if tag != f"v{__version__}":
        raise ReleaseError(f"the package's version is {__version__}; change action/__init__.py or the tag")
    notes(tag)


def notes(tag: str) -> str:
    """Return the release notes: the section of CHANGELOG.md, and how to check the files.

    Raises:
        ReleaseError: CHANGELOG.md has no such section, or an empty one.
    """
    version = re.escape(tag.removeprefix("v"))
    text = (_ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {version} - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    section = found[1].strip() if found else ""
    if not section:
        raise ReleaseError(f"CHANGELOG.md has no section with text and the title '## {tag[1:]} - YYYY-MM-DD'")
    # Relative links of the changelog lead nowhere from the page of a release.
    section = re.sub(r"\]\((?!https?:|#)", f"]({REPOSITORY}/blob/{tag}/", section)
    return section + "\n" + _NOTES_END.format(tag=tag)


def make_files(tag: str, folder: Path) -> None:
    """Make the packages, the archive of the action and the bill of materials.

    Raises:
        ReleaseError: a program failed, or the folder has files, which may be those of another version.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ReleaseError(f"{folder} has files; remove them, or name an empty folder with --folder")
    # In this environment, whose packages are locked with hashes. A build frontend such as `build` would install others.
    _run(sys.executable, "-m", "hatchling", "build", "--directory", str(folder))
    archive = folder / f"action-{tag}.tar.gz"
    _run("git", "archive", "--format=tar.gz", f"--prefix=build-digests-{tag}/", f"--output={archive}", "HEAD")
    sbom = make_sbom(tag.removeprefix("v"), [each.lock for each in SETS])
    text = json.dumps(sbom, indent=2, ensure_ascii=False) + "\n"
    (folder / f"build-digests-{tag}.cdx.json").write_text(text, encoding="utf-8")


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=_ROOT, check=False)
    if done.returncode:
        raise ReleaseError(f"exit code {done.returncode} of: {' '.join(command)}")


if __name__ == "__main__":
    main()
