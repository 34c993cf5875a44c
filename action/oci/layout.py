"""Reads an OCI image layout from a tar or a folder, by member name and without unpacking anything.

The layout is that of https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md. A member is read only if
its name is exactly the requested one and it is a plain file. So links, absolute names and names with `..` are never
followed. A blob is returned only if its bytes have the digest that names it.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import re
import stat
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol

from action.errors import EvidenceError
from action.oci.tar import plain_files

MAX_JSON_BYTES = 16 * 1024 * 1024
"""Longest JSON member that is read, in bytes: registries refuse manifests over 4 MiB."""

MAX_LONG_BYTES = 64 * 1024 * 1024
"""Longest statement of an attestation that is read, in bytes: an SBOM of a large image has 20 MB."""

MAX_READ_BYTES = 128 * 1024 * 1024
"""Maximum number of bytes of JSON members that are read from one tar: a bake of 1,000 targets has under 30 MiB."""

MAX_VALUES = 3_000_000
"""Maximum number of values in the JSON members that are read from one tar: each can take 100 bytes of memory."""

MAX_UNPACKED_BYTES = 384 * 1024 * 1024
"""Longest tar that is read from a compressed one, in bytes: a record is mostly the build's log, of which BuildKit keeps
2 MiB for each step."""

MAX_MEMBERS = 50_000
"""Maximum number of members of a tar, including long headers."""

_MIN_COUNTED_BYTES = 2048
"""Number of bytes that a shorter member counts as: reading it takes time too."""

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")


class Layout(Protocol):
    """Source of members by name."""

    source: str

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a member, or None if there is no plain file of that name.

        Raises:
            EvidenceError: the member is longer than MAX_JSON_BYTES, or the layout is corrupt.
        """

    def chunks(self, name: str) -> Iterator[bytes] | None:
        """Return an iterator over the pieces of a member of any length, or None if there is no plain file of that name.

        Raises:
            EvidenceError: the layout is corrupt; also raised by the iterator.
        """


def read_blob(layout: Layout, digest: str) -> bytes | None:
    """Return the bytes of a blob, or None if it is not in the layout.

    Args:
        layout: the layout.
        digest: the digest of the blob.

    Raises:
        EvidenceError: the blob is longer than MAX_JSON_BYTES, or its bytes have another digest.
    """
    name = blob_member(digest)
    data = layout.read(name) if name else None
    return None if data is None else _checked(layout, digest, data)


def read_long_blob(layout: Layout, digest: str) -> bytes | None:
    """Return the bytes of a blob of up to MAX_LONG_BYTES; arguments and errors are those of `read_blob`."""
    name = blob_member(digest)
    chunks = layout.chunks(name) if name else None
    if chunks is None:
        return None
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > MAX_LONG_BYTES:
            raise EvidenceError(f"{layout.source}: the blob {digest} has more than the limit of {MAX_LONG_BYTES} bytes")
    return _checked(layout, digest, bytes(data))


def _checked(layout: Layout, digest: str, data: bytes) -> bytes:
    if hashlib.sha256(data).hexdigest() != digest.partition(":")[2]:
        raise EvidenceError(f"{layout.source}: the blob {digest} has other content than its digest says")
    return data


def blob_member(digest: str) -> str:
    """Return the name of the member that is a blob; empty if the digest is not one by SHA-256."""
    match = _SHA256.fullmatch(digest)
    return f"blobs/sha256/{match[1]}" if match else ""


class FolderLayout:
    """Layout in a folder (`type=oci,tar=false`)."""

    def __init__(self, folder: Path) -> None:
        """Keep the folder; nothing is read yet."""
        self.source = str(folder)
        self._folder = folder

    def read(self, name: str) -> bytes | None:
        """See `Layout`."""
        file = self._folder / name
        try:
            # Not stat, which follows links: one could lead out of the folder.
            status = file.lstat()
            if not stat.S_ISREG(status.st_mode):
                return None
            _check_size(self.source, name, status.st_size)
            return file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EvidenceError(f"{file}: {error.strerror or error}") from None

    def chunks(self, name: str) -> Iterator[bytes] | None:
        """See `Layout`."""
        file = self._folder / name
        return self._chunks(file) if file.is_file() and not file.is_symlink() else None

    def _chunks(self, file: Path) -> Iterator[bytes]:
        try:
            with file.open("rb") as opened:
                while chunk := opened.read(_CHUNK):
                    yield chunk
        except OSError as error:
            raise EvidenceError(f"{file}: {error.strerror or error}") from None


class TarLayout:
    """Layout in a tar, as a context manager that closes the file.

    Raises:
        EvidenceError: the file is not a tar, is cut off, or has too many members.
    """

    def __init__(self, file: Path) -> None:
        """Open the file and find its members."""
        self.source = str(file)
        self._members: dict[str, tuple[int, int]] = {}
        self._left = MAX_READ_BYTES
        self._values_left = MAX_VALUES
        with _as_evidence(self.source):
            if not stat.S_ISREG(file.stat().st_mode):
                raise EvidenceError(f"{self.source}: not a regular file")
            self._file = _plain_tar(file)
        try:
            self._find()
        except BaseException:
            self._file.close()
            raise

    def _find(self) -> None:
        """Store the offset and the size of each plain file by its name."""
        with _as_evidence(self.source):
            for member in plain_files(self._file, MAX_MEMBERS):
                # Programs differ in which of two members with one name they use.
                if member.name in self._members:
                    raise EvidenceError(f"{self.source}: {member.name!r} is in it twice")
                self._members[member.name] = (member.offset, member.size)

    def read(self, name: str) -> bytes | None:
        """See `Layout`."""
        offset, size = self._members.get(name, (0, -1))
        if size < 0:
            return None
        _check_size(self.source, name, size)
        self.count(size)
        data = b"".join(self._chunks(name, offset, size))
        # Counted before anything is parsed: `{},` has three bytes, and as an object of a model hundreds.
        self._values_left -= sum(map(data.count, (b"[", b"{", b",")))
        if self._values_left < 0:
            raise EvidenceError(f"{self.source}: its JSON has more than the limit of {MAX_VALUES} values")
        return data

    def count(self, size: int) -> None:
        """Count bytes that are read, or evaluated once more.

        Raises:
            EvidenceError: more than MAX_READ_BYTES have been counted.
        """
        self._left -= max(size, _MIN_COUNTED_BYTES)
        if self._left < 0:
            raise EvidenceError(f"{self.source}: its JSON has more than the limit of {MAX_READ_BYTES} bytes")

    def chunks(self, name: str) -> Iterator[bytes] | None:
        """See `Layout`."""
        offset, size = self._members.get(name, (0, -1))
        return self._chunks(name, offset, size) if size >= 0 else None

    def _chunks(self, name: str, offset: int, size: int) -> Iterator[bytes]:
        while size > 0:
            with _as_evidence(self.source):
                self._file.seek(offset)
                chunk = self._file.read(min(size, _CHUNK))
            if not chunk:
                raise EvidenceError(f"{self.source}: {name} is cut off")
            yield chunk
            offset, size = offset + len(chunk), size - len(chunk)

    def __enter__(self) -> TarLayout:  # noqa: PYI034  # Self came with Python 3.11
        """Return the layout."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()


@contextlib.contextmanager
def open_layout(path: Path) -> Iterator[Layout]:
    """Open a tar or a folder as a layout.

    Raises:
        EvidenceError: the path is neither of them, or cannot be read.
    """
    if path.is_dir():
        yield FolderLayout(path)
        return
    with TarLayout(path) as layout:
        yield layout


def _plain_tar(file: Path) -> IO[bytes]:
    """Open a tar; one with gzip compression, as buildx exports records, is decompressed to a temporary file first."""
    opened = file.open("rb")
    if opened.read(len(_GZIP)) != _GZIP:
        opened.seek(0)
        return opened
    opened.close()
    # A file, since members are read by their offset, and gzip can only seek by decompressing from the start again.
    plain = tempfile.TemporaryFile()  # noqa: SIM115  # it outlives this function
    try:
        with gzip.open(file) as compressed:
            while chunk := compressed.read(_CHUNK):
                plain.write(chunk)
                # Checked while it is written: gzip can make a thousand bytes of one.
                if plain.tell() > MAX_UNPACKED_BYTES:
                    raise EvidenceError(f"{file}: more than {MAX_UNPACKED_BYTES} bytes when decompressed")
        plain.seek(0)
    except BaseException:
        plain.close()
        raise
    return plain


def _check_size(source: str, name: str, size: int) -> None:
    if size > MAX_JSON_BYTES:
        raise EvidenceError(f"{source}: {name} has {size} bytes, more than the limit of {MAX_JSON_BYTES}")


@contextlib.contextmanager
def _as_evidence(source: str) -> Iterator[None]:
    try:
        yield
    # zlib.error and EOFError come from gzip, OverflowError from an offset that seek does not accept.
    except (zlib.error, ValueError, EOFError, OverflowError) as error:
        raise EvidenceError(f"{source}: not a tar that can be read ({error})") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise EvidenceError(f"{source}: {reason}") from None
