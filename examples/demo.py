"""The demo: one build into a registry, an OCI tar and a docker tar, and the digest of each.

`python3 examples/demo.py` needs nothing but Python 3.10: it uses the Docker of the machine or downloads one, starts a
registry on loopback, and installs the command's packages into `.cache`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_OLDEST = (3, 10)
_ACCEPT = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"


def main() -> int:
    """Start what is needed, and run the demo; the exit code is 0 if the digest is right."""
    if sys.version_info < _OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        rule = "start the demo with a newer one, for example python3.12 examples/demo.py"
        print(f"Python 3.10 or later is needed, but {sys.executable} is {found}: {rule}", file=sys.stderr)
        return 2
    # `python3 examples/demo.py` searches the folder of this file for modules, not the one above.
    sys.path.insert(0, str(_ROOT))
    from engine import EngineError

    registry = os.environ.get("BUILD_DIGESTS_REGISTRY")
    if not registry:
        from engine.__main__ import main as run_engine

        return run_engine(["run", "--", sys.executable, str(Path(__file__).resolve())])
    try:
        packages = _packages()
    except EngineError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return _demo(registry, os.pathsep.join((str(_ROOT), *packages)))


def _packages() -> list[str]:
    """Return the folders to import the command's packages from, beside those that Python searches anyway."""
    # Packages of other environments may be too old.
    if Path(sys.prefix) == _ROOT / ".venv":
        return []
    from engine.wheels import wheels

    return [str(wheels("models", "retries", "terminal"))]


def _demo(registry: str, path: str) -> int:
    """Build, print the table, and compare the pushed digest with the registry's."""
    name = f"{registry}/demo:latest"
    with tempfile.TemporaryDirectory() as folder:
        metadata, results = Path(folder, "metadata.json"), Path(folder, "results.json")
        build = [
            *("--output", f"type=image,name={name},push=true,id=release"),
            *("--output", f"type=oci,dest={folder}/demo-oci.tar"),
            *("--output", f"type=docker,dest={folder}/demo-docker.tar"),
            *("--metadata-file", str(metadata)),
            str(Path(__file__).parent / "demo"),
        ]
        print("$ build-digests build --", " ".join(build), flush=True)
        command = [sys.executable, "-m", "action", "build", "--results", str(results), "--", *build]
        code = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False).returncode
        if code:
            return code
        merged = json.loads(metadata.read_text(encoding="utf-8"))["containerimage.digest"]
        result = json.loads(results.read_text(encoding="utf-8"))
    request = urllib.request.Request(  # the registry on loopback
        f"http://{registry}/v2/demo/manifests/latest", method="HEAD", headers={"Accept": _ACCEPT}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        served = answer.headers["Docker-Content-Digest"]
    print()
    print(f"The digest of {name}, from three sources:")
    print(f"  {served}  the registry itself")
    print(f"  {result['digest']}  build-digests, key release")
    print(f"  {merged}  buildx and docker/build-push-action")
    for exporter in result["exporters"]:
        if exporter["digest"] == merged != served:
            which = f"output {exporter['key']}, the {exporter['type']} tar"
            print(f"The last one is the digest of {which}: nobody can pull it.")
    if result["digest"] != served:
        print("build-digests is wrong: please report this")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
