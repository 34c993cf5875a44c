"""The packages that steps keep on a machine: checked when they are used, repaired, and cleaned up after installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from action.packages.tool_cache import is_whole
from tests.starting import NO_INDEX, ROOT, install


def _set(cache: Path) -> Path:
    (folder,) = (cache / "build-digests").iterdir()
    return folder


def _truncate(folder: Path) -> None:
    (folder / "tenacity/nap.py").write_text("")


def _remove(folder: Path) -> None:
    (folder / "tenacity/nap.py").unlink()


def _spoil_compiled(folder: Path) -> None:
    (file,) = (folder / "tenacity/__pycache__").glob("nap.*.pyc")
    file.write_bytes(file.read_bytes()[:40])


def _add(folder: Path) -> None:
    (folder / "tenacity/more.py").write_text("raise SystemExit('more')")


def _overwrite_the_end(folder: Path) -> None:
    file = folder / "tenacity/nap.py"
    file.write_bytes(file.read_bytes()[:-100] + bytes(100))


def _spoil_manifest(folder: Path) -> None:
    manifest = folder / ".manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-1])


def _remove_manifest(folder: Path) -> None:
    (folder / ".manifest.json").unlink()


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / ".manifest.json").write_text("{}")


def _file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _remove,
        _spoil_compiled,
        _add,
        _overwrite_the_end,
        _spoil_manifest,
        _remove_manifest,
        _empty,
        _file,
    ],
)
def test_damaged_packages_are_installed_again(
    bare_python: Path, tool_cache: Path, uv_path: str, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(tool_cache, cache)
    good = _files(_set(cache))
    damage(_set(cache))
    done = install(bare_python, cache, path=uv_path)
    assert (done.stdout, done.returncode) == (f"retries: {_set(cache)}\n", 0), done.stderr
    assert _files(_set(cache)) == good


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and ".dist-info" not in str(file) and "__pycache__" not in str(file) and file.name[0] != "."
    }


def test_an_installation_of_complete_packages_changes_no_file(bare_python: Path, tool_cache: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in tool_cache.rglob("*")}
    assert install(bare_python, tool_cache).returncode == 0
    assert {file: file.stat().st_mtime_ns for file in tool_cache.rglob("*")} == before


def test_damaged_packages_are_not_used_if_they_cannot_be_installed_again(
    bare_python: Path, tool_cache: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(tool_cache, cache)
    (_set(cache) / "tenacity/nap.py").write_text("raise SystemExit('used')")
    done = install(bare_python, cache, **NO_INDEX)
    assert done.returncode == 1
    assert done.stdout.startswith("::error::the action's packages cannot be installed: ")


CODE = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from action.packages.tool_cache import unfinished_folder
with unfinished_folder(Path({cache!r})) as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


def _installing(python: Path, cache: Path) -> tuple[subprocess.Popen[str], Path]:
    """An install that goes on, and its folder."""
    code = CODE.format(root=str(ROOT), cache=str(cache / "build-digests"))
    process = subprocess.Popen([str(python), "-I", "-S", "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_the_folder_of_a_killed_installation_is_removed_and_that_of_a_running_one_is_kept(
    bare_python: Path, tmp_path: Path
) -> None:
    (killed, remains), (running, in_use) = _installing(bare_python, tmp_path), _installing(bare_python, tmp_path)
    try:
        killed.kill()
        killed.communicate(timeout=30)
        # However old it is: it may wait for a slow index.
        os.utime(in_use, (time.time() - 100_000,) * 2)
        assert remains.is_dir()
        assert install(bare_python, tmp_path).returncode == 0
        assert not remains.exists()
        assert in_use.is_dir()
    finally:
        running.kill()
        running.communicate(timeout=30)
    assert install(bare_python, tmp_path).returncode == 0
    assert in_use.is_dir()  # Nothing is to be installed: nothing is looked for.


def test_packages_that_were_copied_are_whole_although_their_times_differ(tool_cache: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(_set(tool_cache), tmp_path / "copy"))
    for file in copy.rglob("*"):
        os.utime(file, (1, 1))
    assert is_whole(copy)
    changed = copy / "tenacity" / "nap.py"
    text = changed.read_bytes()
    changed.write_bytes(text[:-1] + b"#")
    os.utime(changed, (1, 1))
    assert not is_whole(copy)


def test_packages_that_were_installed_before_the_machine_started_are_hashed_once(
    tool_cache: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(_set(tool_cache), tmp_path / "copy"))
    manifest, module = copy / ".manifest.json", copy / "tenacity" / "nap.py"
    os.utime(manifest, (1, 1))
    assert is_whole(copy)
    # From now on the times count.
    assert manifest.stat().st_mtime > time.time() - time.monotonic()
    # What a crash leaves behind: the size and the time, and zeros for the content.
    status = module.stat()
    module.write_bytes(bytes(status.st_size))
    os.utime(module, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.utime(manifest, (1, 1))
    assert not is_whole(copy)


def test_checking_packages_takes_less_time_than_hashing_their_files(bare_python: Path, tool_cache: Path) -> None:
    code = f"""
import hashlib, json, sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from action.packages.tool_cache import MANIFEST, is_whole
folder = Path({str(_set(tool_cache))!r})
assert is_whole(folder)
files = [folder / name for name in json.loads((folder / MANIFEST).read_bytes())]
def hash_files():
    for file in files:
        hashlib.sha256(file.read_bytes()).digest()
def seconds(function):
    begun = time.process_time()
    function()
    return time.process_time() - begun
hashing, checking = (min(seconds(each) for _ in range(20)) for each in (hash_files, lambda: is_whole(folder)))
print(checking / hashing)
"""
    done = subprocess.run(
        [str(bare_python), "-I", "-S", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert float(done.stdout) < 1
