"""Make the pictures of the README: run the demo in a terminal, and draw what it prints.

Run it with `make pictures`, which starts an engine and a registry on loopback.
"""

from __future__ import annotations

import io
import os
import pty
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME, TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
_WIDTH = 118
_LIGHT = TerminalTheme(
    (255, 255, 255),
    (36, 41, 47),
    [
        (36, 41, 47),
        (207, 34, 46),
        (17, 99, 41),
        (77, 45, 0),
        (9, 105, 218),
        (130, 80, 223),
        (27, 124, 131),
        (110, 119, 129),
    ],
)
_FONTS = re.compile(r"@font-face \{.*?\}", re.DOTALL)
_TEMPORARY = re.compile(r"/tmp/[\w-]+/")  # noqa: S108  # the text of a path


def main() -> int:
    """Draw docs/assets/terminal-light.svg and docs/assets/terminal-dark.svg; return the demo's exit code."""
    os.environ |= {"COLUMNS": str(_WIDTH), "LINES": "60", "TERM": "xterm-256color", "BUILDKIT_PROGRESS": "plain"}
    printed = bytearray()

    def read(terminal: int) -> bytes:
        data = os.read(terminal, 65536)
        printed.extend(data)
        return data

    code = os.waitstatus_to_exitcode(pty.spawn([sys.executable, str(ROOT / "examples/demo.py")], read))
    if code:
        return code
    text = printed.decode("utf-8").replace("\r\n", "\n")
    command, _, rest = text.partition("\n")
    # The log of the build is left out, because the picture is about the digests: they come after its last line.
    _, _, digests = rest.rpartition("\n#")
    lines = [command.replace(str(ROOT / "examples/demo"), "."), "…", *digests.split("\n")[1:]]
    shown = _TEMPORARY.sub("", "\n".join(lines)).replace(" --output", " \\\n    --output").rstrip()
    for name, theme in (("light", _LIGHT), ("dark", SVG_EXPORT_THEME)):
        console = Console(record=True, width=_WIDTH, file=io.StringIO())
        console.print(Text.from_ansi(shown))
        svg = console.export_svg(title="build-digests", theme=theme)
        # A picture fetches nothing: without these fonts the reader's own monospaced font is used.
        file = ROOT / f"docs/assets/terminal-{name}.svg"
        file.write_text(_FONTS.sub("", svg), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
