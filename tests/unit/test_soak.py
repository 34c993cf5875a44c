"""The parts of the soak: its generator, its judge, and its reduction of failing cases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from soak.case import Case, Output, Target
from soak.command import bare_command, step_inputs
from soak.exporters import Exporter, expected_exporters
from soak.generate import generate
from soak.images import Image
from soak.judge import Fault, judge_pushed, judge_target, paired
from soak.place import ABILITIES, EngineKind, Names
from soak.reduce import reduced
from soak.step_result import StepResult, TargetResult
from soak.truth import Truth
from tests.soak_cases import NUMBERS, choose

CASES = [generate("forms", number, ABILITIES["containerd"], Names()) for number in range(600)]


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def test_a_seed_makes_the_same_case_every_time() -> None:
    again = [generate("forms", number, ABILITIES["containerd"], Names()) for number in range(600)]
    assert again == CASES
    assert len(set(CASES)) > 590


def test_another_seed_makes_other_cases() -> None:
    other = [generate("other", number, ABILITIES["containerd"], Names()) for number in range(50)]
    assert [replace(case, name="") for case in other] != [replace(case, name="") for case in CASES[:50]]


def test_no_choice_depends_on_the_names_of_a_run() -> None:
    names = Names("localhost:1", "localhost:2", "abcdef")
    for number, case in enumerate(CASES):
        own = generate("forms", number, ABILITIES["containerd"], names)
        texts = repr(own).replace("localhost:1", Names().first).replace("localhost:2", Names().second)
        assert texts.replace("abcdef", Names().nonce) == repr(case)


def test_a_case_that_is_renamed_shares_no_image_name() -> None:
    for case in CASES[:100]:
        renamed = case.renamed("another")
        assert "nonce" not in repr(renamed).replace("nonce=", "")
        assert renamed.renamed("nonce") == case


def _outputs(cases: list[Case]) -> Iterator[tuple[Case, Target, Output]]:
    for case in cases:
        for target in case.targets:
            for output in target.outputs:
                yield case, target, output


def _any(test: Callable[[Case, Target], object]) -> bool:
    return any(test(case, target) for case in CASES for target in case.targets)


def _any_output(test: Callable[[Output], object]) -> bool:
    return any(test(output) for _, _, output in _outputs(CASES))


FORMS: dict[str, Callable[[], bool]] = {
    **{
        f"output {kind}": lambda kind=kind: _any_output(lambda output: output.type == kind)  # type: ignore[misc]
        for kind in ("image", "registry", "oci", "docker", "local", "tar", "cacheonly", "path")
    },
    **{
        f"attribute {name}": lambda name=name: _any_output(lambda output: output.attribute(name))  # type: ignore[misc]
        for name in ("name", "push", "tar", "oci-mediatypes", "compression", "annotation.org.example.soak")
    },
    **{
        f"style {style}": lambda style=style: _any_output(lambda output: output.style == style)  # type: ignore[misc]
        for style in ("plain", "quoted", "spaced", "upper")
    },
    **{
        f"cache {kind}": lambda kind=kind: _any(lambda _, t: any(f"type={kind}" in each for each in t.cache_to))  # type: ignore[misc]
        for kind in ("registry", "local", "inline")
    },
    **{
        f"provenance {value!r}": lambda value=value: _any(lambda case, _: case.provenance == value)  # type: ignore[misc]
        for value in ("", "true", "false", "mode=max", "mode=min")
    },
    **{
        f"input {name}": lambda name=name: _any(lambda case, _: name in case.flags)  # type: ignore[misc]
        for name in ("no-cache", "record", "verify", "require-digests")
    },
    **{
        f"bake {form}": lambda form=form: _any(lambda case, _: case.kind == "bake" and case.form == form)  # type: ignore[misc]
        for form in ("hcl", "json", "compose")
    },
    "docker tar": lambda: _any_output(lambda output: output.type == "docker" and output.dest),
    "docker kept": lambda: _any_output(lambda output: output.type == "docker" and not output.dest),
    "an ID": lambda: _any_output(lambda output: output.id),
    "no ID": lambda: _any_output(lambda output: not output.id),
    "two names": lambda: _any_output(lambda output: "," in output.attribute("name")),
    "push without a value": lambda: _any_output(lambda output: ("push", "") in output.attributes),
    "push=false": lambda: _any_output(lambda output: ("push", "false") in output.attributes),
    "a docker output with push": lambda: _any_output(lambda o: o.type == "docker" and o.attribute("push")),
    "an oci output with push": lambda: _any_output(lambda o: o.type == "oci" and o.attribute("push")),
    "odd file names": lambda: all(
        any(mark in (output.dest or "") for _, _, output in _outputs(CASES)) for mark in " ä',\"=%-(日;#"
    ),
    "push": lambda: _any(lambda case, _: case.push),
    "load": lambda: _any(lambda case, _: case.load),
    "push and load": lambda: _any(lambda case, _: case.push and case.load),
    "several platforms": lambda: _any(lambda _, target: len(target.platforms) > 1),
    "tags on two registries": lambda: _any(
        lambda _, t: {each.partition("/")[0] for each in t.tags} >= {Names().first, Names().second}
    ),
    "tags of the engine": lambda: _any(lambda _, t: any("/" not in each for each in t.tags)),
    "several caches": lambda: _any(lambda _, target: len(target.cache_to) > 1),
    "a cache to read": lambda: _any(lambda _, target: target.cache_from),
    "attests": lambda: _any(lambda _, target: target.attests),
    "annotations": lambda: _any(lambda _, target: target.annotations),
    "an annotation over an output's own": lambda: _any(
        lambda _, t: (
            any(each.startswith("org.example.soak=") for each in t.annotations)
            and any(output.attribute("annotation.org.example.soak") for output in t.outputs)
        )
    ),
    "labels": lambda: _any(lambda _, target: target.labels),
    "build arguments": lambda: _any(lambda _, target: target.build_args),
    "a matrix": lambda: _any(lambda _, target: target.matrix),
    "outputs as objects": lambda: _any(lambda case, t: case.kind == "bake" and t.objects and t.outputs),
    "several targets": lambda: _any(lambda case, _: len(case.targets) > 1),
    "set": lambda: _any(lambda case, _: case.set),
    "call": lambda: _any(lambda case, _: case.call),
    "no output": lambda: _any(lambda case, target: not target.outputs and not case.push and not case.load),
    "five outputs": lambda: _any(lambda _, target: len(target.outputs) == 5),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_generator_reaches(form: str) -> None:
    assert FORMS[form]()


@pytest.mark.parametrize("kind", ABILITIES)
def test_each_case_of_each_engine_can_be_written_as_inputs_and_as_a_command(kind: EngineKind, tmp_path: Path) -> None:
    for number in range(200):
        case = generate("written", number, ABILITIES[kind], Names())
        assert json.loads(json.dumps(step_inputs(case)))
        assert bare_command(case, tmp_path / "definition")[0] == "buildx"


def test_push_by_digest_is_generated_for_builders_that_support_it() -> None:
    cases = [generate("digest", number, ABILITIES["container"], Names()) for number in range(300)]
    assert any(output.attribute("push-by-digest") for _, _, output in _outputs(cases))


NAME = "first.test:5000/app"
IMAGE = Exporter(
    "release", 0, "release", frozenset(("image",)), (NAME,), push=True, dest=None, output=Output("image", "release")
)
TAR = Exporter("1", 1, None, frozenset(("oci",)), (), push=False, dest="oci.tar", output=Output("oci", dest="oci.tar"))
RIGHT = {"release": digest("a"), "1": digest("b")}


def _truth(key: str, *, knowable: bool = True) -> Truth:
    image = Image(RIGHT[key], "application/vnd.oci.image.manifest.v1+json", 7, digest("c"), (), attested=False)
    pushed = frozenset(((NAME, RIGHT[key]),)) if key == "release" else frozenset()
    return Truth(frozenset((RIGHT[key],)), knowable, frozenset((digest("c"),)), pushed, image, "tag")


def _said(exporter: Exporter, value: str | None) -> dict[str, Any]:
    (kind,) = exporter.types
    members: dict[str, Any] = {"key": exporter.key, "id": exporter.id, "type": kind, "names": list(exporter.names)}
    members |= {"push": exporter.push, "dest": exporter.dest, "digest": value, "imageid": digest("c")}
    return members | {"descriptor": None, "platforms": []}


def _faults(release: str | None, tar: str | None, **results: str | None) -> list[Fault]:
    exporters = [_said(IMAGE, release), _said(TAR, tar)]
    digests = {each["key"]: each["digest"] for each in exporters if each["digest"]}
    imageids = {each["key"]: each["imageid"] for each in exporters}
    whole = {"digest": release, "imageid": digest("c"), "exporters": exporters, **results}
    answer = TargetResult(exporters, digests, imageids, whole)
    pairs, odd = paired([IMAGE, TAR], answer)
    return [*odd, *judge_target(pairs, answer, [_truth("release"), _truth("1")])]


def test_correct_digests_have_no_fault() -> None:
    assert _faults(RIGHT["release"], RIGHT["1"]) == []


def test_two_swapped_digests_are_two_faults() -> None:
    faults = _faults(RIGHT["1"], RIGHT["release"])
    assert [fault.kind for fault in faults] == ["wrong digest", "wrong digest"]
    assert faults[0].text.startswith("exporter release (image): digest is 'sha256:bbb")


def test_an_absent_digest_that_could_be_known_is_a_fault() -> None:
    assert [fault.kind for fault in _faults(RIGHT["release"], None)] == ["absent digest"]


def test_another_exporters_digest_as_legacy_digest_is_a_fault() -> None:
    assert [fault.kind for fault in _faults(RIGHT["release"], RIGHT["1"], digest=RIGHT["1"])] == ["legacy"]
    assert [fault.kind for fault in _faults(None, RIGHT["1"], digest=RIGHT["1"])] == ["absent digest", "legacy"]


def test_a_wrong_image_id_is_a_fault() -> None:
    truth = replace(_truth("1"), imageids=frozenset((digest("d"),)))
    said = TargetResult([_said(TAR, RIGHT["1"])], {"1": RIGHT["1"]}, {"1": digest("c")}, {})
    faults = judge_target([(TAR, said.exporters[0])], said, [truth])
    assert "wrong image ID" in {fault.kind for fault in faults}


def test_a_missing_or_unexpected_exporter_is_a_fault() -> None:
    _, faults = paired([IMAGE, TAR], TargetResult([_said(IMAGE, None)], {}, {}, {}))
    assert [fault.kind for fault in faults] == ["exporters"]


def test_a_ref_that_no_registry_serves_is_a_fault() -> None:
    truths = [_truth("release"), _truth("1")]
    line = f"{'a' * 64}  {NAME}\n"
    assert judge_pushed([f"{NAME}@{RIGHT['release']}"], line, truths) == []
    (fault,) = judge_pushed([f"{NAME}@{RIGHT['release']}", f"{NAME}@{RIGHT['1']}"], line, truths)
    assert fault.kind == "refs"
    (fault,) = judge_pushed([f"{NAME}@{RIGHT['release']}"], "", truths)
    assert fault.kind == "checksums"


def test_the_exporters_that_buildx_adds_are_expected() -> None:
    tar = Target(outputs=(Output("oci", dest="a"), Output("cacheonly")), tags=("app",))
    added = expected_exporters(Case("", "build", (tar,), push=True, load=True), tar, "container")
    assert [(each.key, each.push) for each in added] == [("0", False), ("2", True), ("3", False)]
    assert [each.key for each in expected_exporters(Case("", "bake", (tar,), push=True), tar, "container")] == ["0"]
    nothing = Target()
    assert [each.key for each in expected_exporters(Case("", "build", (nothing,)), nothing, "classic")] == ["0"]
    assert not expected_exporters(Case("", "build", (nothing,)), nothing, "remote")


def test_a_target_that_the_step_does_not_report_is_empty() -> None:
    answer = StepResult(0, "", {"exporters": '{"web": []}', "digests": "{}"})
    assert answer.of("api").exporters == []
    assert answer.refs == []


def test_a_case_is_reduced_to_what_fails() -> None:
    wanted = Output("oci", "x", "a.tar", (("compression", "zstd"),), "quoted")
    target = Target("web", (Output("local", dest="out"), wanted, Output("tar", dest="t")), labels=("a=b",), tags=("x",))
    case = Case("", "bake", (target, Target("api")), push=True, flags=("record",))
    tried: list[Case] = []

    def fails(each: Case) -> bool:
        tried.append(each)
        return any(output.type == "oci" for build in each.targets for output in build.outputs)

    smallest = reduced(case, fails)
    assert smallest == Case("", "bake", (Target("web", (Output("oci", "x", "a.tar"),)),))
    assert len(tried) <= 40


def test_reducing_stops_after_max_tries() -> None:
    tried: list[Case] = []

    def fails(each: Case) -> bool:
        tried.append(each)
        return False

    (case,) = [case for case in CASES if len(case.targets) == 3][:1]
    assert reduced(case, fails, max_tries=3) == case
    assert len(tried) == 3


def test_the_few_cases_of_make_test_have_every_feature_of_the_first_forty() -> None:
    assert choose() == list(NUMBERS)
