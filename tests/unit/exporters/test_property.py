"""For any list of outputs and any evidence missing: its own digest or none, never another's."""

from __future__ import annotations

import itertools
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from action.dataclass import replace
from action.evidence.record import Record, RecordedExporter
from action.evidence.responses import Metadata, Response
from action.exporters.attributed import AttributedExporter
from action.exporters.attribution import attribute
from action.exporters.build_evidence import BuildEvidence, needs_record, resolved_by_tag
from action.oci.image import Image
from tests.unit.exporters.simulation import (
    Asked,
    Engine,
    Simulated,
    digest_of,
    merged,
    record,
    seen,
    separate,
    simulate,
)

_KINDS = ("image", "registry", "oci", "docker", "docker-tar", "local", "tar", "cacheonly")
_NAMES = ("", "name=localhost:5000/a:1", "name=localhost:5000/b", "name=app")
_FLAGS = ("", "oci-mediatypes=true", "oci-mediatypes=false", "compression=zstd", "rewrite-timestamp=true")


def _forms(kind: str) -> list[tuple[str, ...]]:
    """The attributes that an output of a kind may have together, with `#` for the number of the output."""
    choices = [
        (f"type={kind.removesuffix('-tar') if kind == 'docker-tar' else kind}",),
        _NAMES if kind in {"image", "registry", "oci", "docker", "docker-tar"} else ("",),
        ("dest=out#",) if kind in {"oci", "docker-tar", "local", "tar"} else ("",),
        ("", "push=true") if kind == "image" else ("",),
        _FLAGS if kind in {"image", "oci"} else ("",),
        ("", "id=id#"),
    ]
    return [tuple(filter(None, each)) for each in itertools.product(*choices)]


# Listed, and not drawn one by one: hypothesis took most of the time of these tests for that.
_OUTPUTS = st.tuples(
    st.one_of(*(st.sampled_from(_forms(kind)) for kind in _KINDS)), st.integers(0, math.factorial(6) - 1)
)


@st.composite
def _output(draw: st.DrawFn, index: int) -> str:
    parts, order = draw(_OUTPUTS)
    orders = itertools.permutations(parts)
    ordered = next(itertools.islice(orders, order % math.factorial(len(parts)), None))
    return ",".join(ordered).replace("#", str(index))


@st.composite
def _asked(draw: st.DrawFn) -> Asked:
    count = draw(st.integers(0, 6))
    outputs = tuple(draw(_output(index)) for index in range(count))
    # buildx refuses a push beside unnamed images; with tags every image has a name.
    tags = draw(st.sampled_from([(), ("localhost:5000/t:1",), ("localhost:5000/t:1", "localhost:5000/t:2")]))
    return Asked(outputs, tags, draw(st.booleans()), draw(st.booleans()))


_ENGINES = st.sampled_from(
    [
        Engine(moby=moby, load_beside_docker_tar=load, keeps_ids=ids, names_moby=names)
        for moby, load, ids, names in itertools.product((False, True), repeat=4)
    ]
)


@st.composite
def _partial_record(draw: st.DrawFn, simulated: Simulated) -> Record | None:
    if draw(st.booleans()):
        return None
    whole = record(simulated)
    exporters = whole.exporters
    lost = draw(st.sampled_from(["nothing", "exporters", "attributes", "types"]))
    if lost == "exporters":
        exporters = ()
    elif lost == "attributes":
        exporters = tuple(RecordedExporter(each.type) for each in exporters)
    elif lost == "types":
        exporters = tuple(RecordedExporter(attributes=each.attributes) for each in exporters)
    images = {place: image for place, image in whole.images.items() if draw(st.integers(0, 4))}
    classic = {place for place in images if not draw(st.integers(0, 4))}
    images = {
        place: Image(imageid=digest_of(simulated.ran[place].owner + " config")) if place in classic else image
        for place, image in images.items()
    }
    return replace(whole, exporters=exporters, images=images)


@st.composite
def _observed(draw: st.DrawFn, simulated: Simulated) -> BuildEvidence:
    whole = seen(simulated)
    artifacts = {place: image for place, image in whole.artifacts.items() if draw(st.booleans())}
    metadata = draw(
        st.sampled_from(
            [
                Metadata("b/n/r", merged(simulated)),
                Metadata("b/n/r", Response({})),
                Metadata("b/n/r", merged(simulated), separate(simulated, ids=True, types=True)),
                Metadata("b/n/r", merged(simulated), separate(simulated, ids=True, types=False)),
                Metadata("b/n/r", merged(simulated), separate(simulated, ids=False, types=True)),
                Metadata("b/n/r", merged(simulated), separate(simulated, ids=False, types=False)),
            ]
        )
    )
    # A Docker Engine pushes one image by one digest, under whichever names: that of the last exporter here.
    digest = merged(simulated).image.digest
    repositories = ["localhost:5000/a", "localhost:5000/b", "localhost:5000/t", "docker.io/library/app"]
    proved = frozenset(f"{each}@{digest}" for each in repositories if draw(st.booleans()))
    return BuildEvidence(
        metadata,
        draw(_partial_record(simulated)),
        artifacts,
        docker=draw(st.booleans()),
        resolved_by_tag=draw(st.booleans()) and resolved_by_tag(metadata),
        proved=proved,
    )


def _wrong(simulated: Simulated, exporters: tuple[AttributedExporter, ...]) -> list[str]:
    return [each.key for each in exporters if each.digest is not None and each.digest != simulated.own(each.key)]


@settings(max_examples=500, deadline=None)
@given(st.data(), _asked(), _ENGINES)
def test_an_exporter_gets_its_own_digest_or_none_whatever_evidence_is_missing(
    data: st.DataObject, asked: Asked, engine: Engine
) -> None:
    simulated = simulate(asked, engine)
    observed = data.draw(_observed(simulated))
    attribution = attribute(simulated.requested, observed)
    assert _wrong(simulated, attribution.exporters) == []


@settings(max_examples=300, deadline=None)
@given(_asked(), _ENGINES)
def test_packages_are_loaded_while_buildx_runs_if_the_record_is_needed_after_it(asked: Asked, engine: Engine) -> None:
    simulated = simulate(asked, engine)
    if needs_record(simulated.requested, Metadata("b/n/r", merged(simulated))):
        assert simulated.requested.may_need_record


@settings(max_examples=300, deadline=None)
@given(_asked(), _ENGINES)
def test_with_a_whole_record_every_exporter_that_makes_an_image_has_its_digest(asked: Asked, engine: Engine) -> None:
    simulated = simulate(asked, engine)
    attribution = attribute(simulated.requested, seen(simulated))
    found = {each.key: each.digest for each in attribution.exporters if each.digest}
    assert found == simulated.digests


@settings(max_examples=300, deadline=None)
@given(_asked(), _ENGINES)
def test_a_record_is_asked_for_wherever_the_metadata_file_alone_does_not_do(asked: Asked, engine: Engine) -> None:
    simulated = simulate(asked, engine)
    metadata = Metadata("b/n/r", merged(simulated))
    if needs_record(simulated.requested, metadata):
        return
    attribution = attribute(simulated.requested, BuildEvidence(metadata))
    assert {each.key: each.digest for each in attribution.exporters if each.digest} == simulated.digests


@settings(max_examples=200, deadline=None)
@given(_asked(), _ENGINES, st.booleans(), st.booleans())
def test_separate_responses_need_nothing_else(asked: Asked, engine: Engine, ids: bool, types: bool) -> None:  # noqa: FBT001
    simulated = simulate(asked, engine)
    metadata = Metadata("b/n/r", merged(simulated), separate(simulated, ids=ids, types=types))
    attribution = attribute(simulated.requested, BuildEvidence(metadata))
    assert _wrong(simulated, attribution.exporters) == []
    if types:
        assert {each.key: each.digest for each in attribution.exporters if each.digest} == simulated.digests


@settings(max_examples=200, deadline=None)
@given(_asked(), _ENGINES)
def test_keys_are_unique_and_users_outputs_come_first_in_their_order(asked: Asked, engine: Engine) -> None:
    simulated = simulate(asked, engine)
    exporters = attribute(simulated.requested, seen(simulated)).exporters
    assert len({each.key for each in exporters}) == len(exporters)
    assert [each.index for each in exporters] == sorted(each.index for each in exporters)
    assert all(each.key == (each.id or str(each.index)) for each in exporters)
