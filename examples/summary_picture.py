"""Make the pictures of a job summary: run a real build, and draw its summary in Chromium, as GitHub shows it.

`make pictures` runs it, with an engine and a registry on loopback. Chromium has to be installed; Mermaid, which draws
the timeline, is installed by the tests.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
_MERMAID = ROOT / ".cache/mermaid/node_modules/mermaid/dist/mermaid.min.js"
_WIDTH, _HEIGHT = 900, 820
_DOCKERFILE = "FROM scratch AS files\nCOPY app.bin /app\nFROM files\nCOPY readme.txt /usr/share/doc/app/\n"
_COLORS = {"light": ("#fff", "#1f2328", "#d1d9e0", "#f6f8fa"), "dark": ("#0d1117", "#f0f6fc", "#3d444d", "#151b23")}
_STYLE = """
body {{ margin: 0; padding: 16px; background: {0}; color: {1}; font: 16px/1.5 -apple-system, "Segoe UI", sans-serif }}
table {{ border-collapse: collapse; max-width: 100% }} th, td {{ padding: 6px 13px; border: 1px solid {2} }}
code {{ padding: .2em .4em; border-radius: 6px; background: {3}; font: 85% ui-monospace, monospace }}
code {{ white-space: break-spaces }}
pre {{ padding: 16px; border-radius: 6px; background: {3} }} pre code {{ padding: 0 }}
"""


def main() -> int:
    """Draw docs/assets/summary-light.png and docs/assets/summary-dark.png; return an exit code."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or not _MERMAID.exists():
        print("the pictures of the summary are left out: they need Chromium, and Mermaid from a run of the tests")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = _summary(folder)
        for theme in _COLORS:
            page = folder / f"{theme}.html"
            page.write_text(_page(text, theme), encoding="utf-8")
            picture = ROOT / f"docs/assets/summary-{theme}.png"
            command = [
                *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
                *("--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars"),
                *(f"--user-data-dir={folder / 'browser'}", "--virtual-time-budget=15000"),
                *(f"--window-size={_WIDTH},{_HEIGHT}", f"--screenshot={picture}", page.as_uri()),
            ]
            subprocess.run(command, check=True, capture_output=True, timeout=120)
    return 0


def _summary(folder: Path) -> str:
    """Build two outputs for two platforms, and return the summary of the step."""
    (folder / "Dockerfile").write_text(_DOCKERFILE, encoding="utf-8")
    (folder / "app.bin").write_bytes(os.urandom(2_500_000))
    (folder / "readme.txt").write_text("An example.\n", encoding="utf-8")
    registry = os.environ["BUILD_DIGESTS_REGISTRY"]
    image = f"{registry}/octo/app"
    inputs = {
        "context": ".",
        "platforms": "linux/amd64,linux/arm64",
        "outputs": f'type=image,"name={image}:1,{image}:latest",push=true,id=release\ntype=oci,dest=app.tar,id=archive',
    }
    files = {name: str(folder / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    for file in files.values():
        Path(file).touch()
    command = (sys.executable, "-m", "action", "action", "build")
    environment = {**os.environ, **files, "INPUTS": json.dumps(inputs)}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=120)
    text = Path(files["GITHUB_STEP_SUMMARY"]).read_text(encoding="utf-8")
    # The registry of the picture is one that readers know.
    return re.sub(re.escape(registry).replace(":", r"(?::|&#58;)(?:<wbr>)?"), "ghcr.io", text)


def _page(text: str, theme: str) -> str:
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    drawn = re.sub(r'<pre><code class="language-mermaid">(.*?)</code></pre>', _diagram, body, flags=re.DOTALL)
    options = json.dumps({"theme": "dark" if theme == "dark" else "default"})
    return (
        f'<!doctype html><meta charset="utf-8"><style>{_STYLE.format(*_COLORS[theme])}</style>{drawn}'
        f'<script src="{_MERMAID.as_uri()}"></script><script>mermaid.initialize({options})</script>'
    )


def _diagram(match: re.Match[str]) -> str:
    return f'<pre class="mermaid">{html.escape(html.unescape(match[1]))}</pre>'


if __name__ == "__main__":
    sys.exit(main())
