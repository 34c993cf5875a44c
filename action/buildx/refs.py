"""References of builds, as buildx writes them to a metadata file: `builder/node/ref`."""

from __future__ import annotations

import re
from dataclasses import dataclass

# BuildKit makes the last part (identity.NewID): lower-case letters and digits. `.` and `..` are no names of builders or
# nodes, and would lead out of buildx's folder, in which a reference is a path.
_REF = re.compile(r"(?!\.{1,2}/)([^/\s]+)/(?!\.{1,2}/)([^/\s]+)/([a-z0-9]+)")


@dataclass(frozen=True)
class BuildRef:
    """The reference of one build on one node of a builder.

    Attributes:
        builder: the builder's name.
        node: the name of the builder's node that ran the build.
        id: the build's ID, by which BuildKit knows it.
    """

    builder: str
    node: str
    id: str

    def __str__(self) -> str:
        return f"{self.builder}/{self.node}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> BuildRef | None:
        """Return the reference that a text is, or None if it has another form.

        Example:
            >>> BuildRef.parse("default/default/kjudabc123")
            BuildRef(builder='default', node='default', id='kjudabc123')
        """
        parts = _REF.fullmatch(text)
        return cls(*parts.groups()) if parts else None


def build_id(ref: str) -> str:
    """Return the last part of a `builder/node/ref`: the ID that the build's record and its log have."""
    return ref.rpartition("/")[2]
