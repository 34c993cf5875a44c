"""The images that a run is compared with: which they are, and the registries' answers while buildx runs.

A tag is resolved once, to a digest. If this run pushes to the same tag, that happens before buildx starts: afterwards
the image would be compared with itself.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence

from action.buildx.options import read_options
from action.buildx.request import Request, manifest_query
from action.dataclass import dataclass
from action.errors import InputError, ProgramError
from action.oci.reference import full_name, parse_reference
from action.process.program import CompletedProgram, ProgramGroup, capture_output
from action.process.signals import wait_for

Answer = CompletedProgram | ProgramError
"""How a query of a registry ended, or why it could not be made."""

_SECONDS = 20.0
_MAX_CONCURRENT = 8
_MAX_ANSWERS = 400

# The limit of the readers (action.oci.layout), which is not imported from there: the start of the build waits for the
# imports of this module.
_MAX_BYTES = 16 * 1024 * 1024
_FORM = "write the name of an image in a registry, with a tag or digest: ghcr.io/octo/app:main"


@dataclass(frozen=True)
class ComparedImage:
    """An image that images of a run are compared with.

    Attributes:
        name: the name as the user wrote it.
        reference: its full name, with the digest if the user wrote one, else with a tag.
        replaced: whether the run pushes to the same tag.
    """

    name: str
    reference: str
    replaced: bool

    @property
    def repository(self) -> str:
        """The full name without tag and digest."""
        return _repository(self.reference)


def compared_images(compare: Sequence[str], request: Request) -> dict[str, ComparedImage]:
    """Return the image that each target is compared with: target name, empty for a build, to the image.

    Args:
        compare: an image for all targets, or for a bake also `TARGET=IMAGE`.
        request: what is run.

    Raises:
        InputError: an item is not the name of an image, names no target of the bake, or names one twice.
    """
    images: dict[str, ComparedImage] = {}
    every: ComparedImage | None = None
    for item in compare:
        target, equals, name = item.rpartition("=") if request.bake else ("", "", item)
        reference = parse_reference(name)
        if reference is None:
            raise InputError("compare", f"{name!r} is not the name of an image", _FORM)
        named = f"{reference.repository}@{reference.digest}" if reference.digest else full_name(name)
        image = ComparedImage(name, named, not reference.digest and _may_push(request, named))
        if equals and target not in request.targets:
            known = ", ".join(sorted(request.targets))
            raise InputError("compare", f"{target!r} is not a target of this bake", f"write one of: {known}")
        if (target in images) if equals else every is not None:
            rule = "write each target once: TARGET=IMAGE" if request.bake else "write one image"
            raise InputError("compare", f"{item!r} is a second image for the same target", rule)
        if equals:
            images[target] = image
        else:
            every = image
    return {name: found for name in request.targets if (found := images.get(name, every))}


class Lookup:
    """The queries of registries about the images that a run is compared with.

    Args:
        compare: the images, as `compared_images` takes them.
        request: what is run; its builder's settings of registries apply.
        buildx: the command that runs buildx.
        programs: the group that the queries belong to.

    Raises:
        InputError: as for `compared_images`.
    """

    def __init__(
        self, compare: Sequence[str], request: Request, buildx: tuple[str, ...], programs: ProgramGroup
    ) -> None:
        """Read the names, and send no request yet."""
        self._images = {image.reference: image for image in compared_images(compare, request).values()}
        self._buildx = buildx
        self._builder = builder_of(request)
        self._programs = programs
        self._answers: dict[str, Answer] = {}
        self._ended = threading.Event()
        self._started = False

    def before(self) -> None:
        """Look up the tags that the run replaces, and wait for the answers; must be called before buildx starts."""
        ended = threading.Event()

        def ask() -> None:
            self._ask_each([image.reference for image in self._images.values() if image.replaced])
            ended.set()

        if any(image.replaced for image in self._images.values()):
            threading.Thread(target=ask, daemon=True).start()
            wait_for(ended)

    def start(self) -> None:
        """Look up everything else in a thread, unless that was done before."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._ask_all, daemon=True).start()

    def answers(self) -> Mapping[str, Answer]:
        """Return the answers: reference to answer, for the images and, by digest, for the manifests that they name."""
        if self._started:
            wait_for(self._ended, _SECONDS)
        return dict(self._answers)

    def _ask_all(self) -> None:
        try:
            pending = {image.reference: image.repository for image in self._images.values()}
            while pending and len(self._answers) < _MAX_ANSWERS:
                new = [reference for reference in pending if reference not in self._answers]
                self._ask_each(new[: _MAX_ANSWERS - len(self._answers)])
                pending = {
                    f"{repository}@{digest}": repository
                    for reference, repository in pending.items()
                    for digest in _named_by(self._answers.get(reference))
                }
        finally:
            self._ended.set()

    def _ask_each(self, references: Sequence[str]) -> None:
        """Look up references, at most eight at the same time."""
        for start in range(0, len(references), _MAX_CONCURRENT):
            threads = [
                threading.Thread(target=self._ask, args=(each,), daemon=True)
                for each in references[start : start + _MAX_CONCURRENT]
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _ask(self, reference: str) -> None:
        # Retries with waits come after the build, when their package is there. For a tag that the run replaces, that
        # would be too late.
        for _ in range(2):
            try:
                answer: Answer = self._query(reference)
            except ProgramError as error:
                answer = error
            self._answers[reference] = answer
            if isinstance(answer, ProgramError) or answer.code == 0 or "not found" in answer.stderr:
                return

    def _query(self, reference: str) -> CompletedProgram:
        command = (*self._buildx, *manifest_query(self._builder, reference))
        ended = capture_output(command, os.environ, seconds=_SECONDS, programs=self._programs)
        if len(ended.stdout) > _MAX_BYTES:
            raise ProgramError(f"{reference}: it has more than the limit of {_MAX_BYTES} bytes")
        return ended


def builder_of(request: Request) -> str:
    """Return the name of a run's builder, or an empty text if the request does not name it."""
    return read_options(request.arguments[1:]).last("builder")


def _named_by(answer: Answer | None) -> Iterator[str]:
    """Yield the digests of the manifests or the config that a document names, without attestations."""
    if not isinstance(answer, CompletedProgram) or answer.code != 0:
        return
    try:
        document = json.loads(answer.stdout)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    manifests, config = document.get("manifests"), document.get("config")
    entries = manifests if isinstance(manifests, list) else [config] if "layers" in document else []
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("digest"), str) and not _is_attestation(entry):
            yield entry["digest"]


def _is_attestation(entry: Mapping[str, object]) -> bool:
    annotations = entry.get("annotations")
    return isinstance(annotations, dict) and annotations.get("vnd.docker.reference.type") == "attestation-manifest"


def _may_push(request: Request, reference: str) -> bool:
    """Return whether a run may push to a tag, in any registry: one registry can have several names."""
    path = _path(reference)
    for requested in request.targets.values():
        names = [name for each in requested.exporters if each.push for name in each.names]
        names += requested.tags if requested.push else ()
        # With `outputs_may_vary` it is not known what is pushed; with the name `*` the frontend names the image.
        if requested.outputs_may_vary or any(_path(full_name(name)) == path or "*" in name for name in names):
            return True
    return False


def _path(reference: str) -> str:
    return reference.partition("/")[2]


def _repository(reference: str) -> str:
    parsed = parse_reference(reference)
    return parsed.repository if parsed else reference
