"""References of builds, as buildx writes them to a metadata file: `builder/node/ref`."""

from __future__ import annotations

from dataclasses import dataclass

_PARTS = 3


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
        parts = text.split("/")
        # Not by a regular expression, which would have to be compiled before each build starts.
        return cls(*parts) if len(parts) == _PARTS and _is_id(parts[2]) and all(map(_is_name, parts[:2])) else None


def _is_name(part: str) -> bool:
    # `.` and `..` would lead out of buildx's folder, in which a reference is a path. A space cannot be in a name.
    return part not in {".", ".."} and part.split() == [part]


def _is_id(part: str) -> bool:
    # BuildKit makes IDs of lower-case letters and digits (identity.NewID), so that none can be taken for an option.
    return part.isascii() and part.isalnum() and part == part.lower()


def build_id(ref: str) -> str:
    """Return the last part of a `builder/node/ref`: the ID that the build's record and its log have."""
    return ref.rpartition("/")[2]
