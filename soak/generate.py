"""Generate a case from a seed and a number: the same case every time, with every version of Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from soak.case import MATRIX_VARIABLE, Case, Form, Output, Style, Target
from soak.chance import Chance
from soak.place import Abilities, Names

_PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x")
_IDS = ("release", "a.b", "x-1", "_", "Final_2.0", "0x", "id")
_STEMS = ("out", "my image", "täg", "it's", "a,b", 'say "hi"', "x=y", "50%41", "-dash", "(1)", "日本", "a;b&c", "#1")
_STYLES: tuple[Style, ...] = ("plain", "plain", "plain", "quoted", "spaced", "upper")
_FORMS: tuple[Form, ...] = ("hcl", "hcl", "json", "compose")
_TARGETS = ("web", "api", "worker")
_COMPRESSIONS = ("gzip", "zstd", "uncompressed")
"""No estargz: an engine that is built with Go 1.26 crashes (stargz-snapshotter panics: footer buffer = 48, not 51)."""

_KEY = "org.example.soak"


def generate(seed: str, number: int, abilities: Abilities, names: Names) -> Case:
    """Generate a case.

    Args:
        seed: the seed of the run.
        number: the case's number in the run.
        abilities: the features that the engine has.
        names: the parts of image names that differ between runs; no choice depends on them.
    """
    chance = Chance(f"{seed}/{number}")
    if chance.happens(0.03):
        # A few cases use features that the engine does not have: then the step must fail as buildx does.
        abilities = Abilities(own_driver=abilities.own_driver)
    return _Maker(chance, abilities, names, f"{seed}/{number}", number).case()


@dataclass
class _Maker:
    chance: Chance
    abilities: Abilities
    names: Names
    name: str
    number: int
    pushes: bool = False
    bare: bool = False
    images: int = 0
    files: int = 0

    def case(self) -> Case:
        chance = self.chance
        bake = chance.happens(0.35)
        push, load = chance.happens(0.3), chance.happens(0.2)
        if load and push and self.abilities.images == 1:
            load = False
        provenance = "" if chance.happens(0.5) else chance.one(("true", "false", "false", "mode=max", "mode=min"))
        if not self.abilities.attests and provenance not in {"", "false"}:
            provenance = "false"
        form = chance.one(_FORMS)
        targets = tuple(self.target(name, form, provenance, push=push, load=load) for name in self.named(bake=bake))
        exports = any(
            output.type not in {"local", "tar", "cacheonly", "path"} for each in targets for output in each.outputs
        )
        flags = [flag for flag in ("no-cache", "record", "verify") if chance.happens(0.1)]
        if exports and self.abilities.images > 1 and chance.happens(0.15):
            flags.append("require-digests")
        return Case(
            name=self.name,
            kind="bake" if bake else "build",
            targets=targets,
            form=form,
            push=push,
            load=load,
            provenance=provenance,
            call="check" if chance.happens(0.03) else "",
            set=("*.labels.set=by set",) if bake and chance.happens(0.2) else (),
            flags=tuple(flags),
            layers=chance.one((1, 1, 2, 3)),
            nonce=self.names.nonce,
        )

    def named(self, *, bake: bool) -> tuple[str, ...]:
        return self.chance.several(_TARGETS, 3) if bake else ("",)

    def target(self, name: str, form: Form, provenance: str, *, push: bool, load: bool) -> Target:
        chance = self.chance
        attested = provenance not in {"", "false"}
        self.images = int(load) + int(push)
        several = self.abilities.platforms and chance.happens(0.2)
        platforms = chance.several(_PLATFORMS, 3) if several else ()
        matrix = ("one", "two") if name and form == "hcl" and chance.happens(0.25) else ()
        attests: tuple[str, ...] = ()
        if self.abilities.attests and not attested and chance.happens(0.15) and not (name and form == "compose"):
            attests = (
                chance.one(("type=provenance,mode=max", "type=provenance,mode=min", "type=provenance,disabled=true")),
            )
        indexed = bool(platforms[1:])
        tars = self.abilities.archives and not attests and not attested and not indexed
        self.pushes, self.bare = push, provenance == "false" and not attests
        outputs = self.outputs(name, docker_tars=tars, matrix=bool(matrix))
        tags = self.tags(name, outputs, push=push, matrix=bool(matrix))
        if push and not tags and not any(output.type in {"image", "registry"} for output in outputs):
            tags = (self.repository(name, "pushed", matrix=bool(matrix)) + ":p",)
        compose = bool(name) and form == "compose"
        return Target(
            name=f"{name}-{MATRIX_VARIABLE}" if matrix else name,
            outputs=outputs,
            tags=tags,
            platforms=platforms,
            annotations=() if compose else self.annotations(outputs, platforms),
            labels=(f"{_KEY}=label, with a comma",) if chance.happens(0.25) else (),
            build_args=self.build_args(),
            cache_to=self.cache_to(name, matrix=bool(matrix)),
            cache_from=(f"type=registry,ref={self.names.first}/cache-{self.names.nonce}:none",)
            if chance.happens(0.1)
            else (),
            attests=attests,
            objects=chance.happens(0.5),
            matrix=matrix,
        )

    def outputs(self, name: str, *, docker_tars: bool, matrix: bool) -> tuple[Output, ...]:
        chance = self.chance
        kinds = ["image", "image", "image", "registry", "registry", "local", "tar", "cacheonly", "path", "docker"]
        if self.abilities.archives:
            kinds += ["oci", "oci", "oci", "folder"]
            kinds += ["docker tar", "docker tar"] if docker_tars else []
        count = chance.one((0, 1, 1, 1, 2, 2, 3, 3, 4, 5))
        ids = list(_IDS)
        outputs = []
        for _ in range(count):
            kind = chance.one(kinds)
            if kind not in {"local", "tar", "cacheonly", "path"}:
                if self.images >= self.abilities.images:
                    continue
                self.images += 1
            identifier = chance.take(ids) if chance.happens(0.4) and kind != "path" else None
            if kind == "folder":
                # buildx rejects a second OCI output to a folder: oci store key "export" already exists.
                kinds.remove("folder")
            outputs.append(self.output(kind, identifier, name, matrix=matrix))
        return tuple(outputs)

    def output(self, kind: str, identifier: str | None, name: str, *, matrix: bool) -> Output:
        chance = self.chance
        style = chance.one(_STYLES)
        if kind == "cacheonly":
            return Output(kind, identifier, style=style)
        if kind in {"local", "path"}:
            return Output(kind, identifier, self.path(name, "", matrix=matrix, plain=kind == "path"), style=style)
        if kind == "tar":
            return Output(kind, identifier, self.path(name, ".tar", matrix=matrix), style=style)
        attributes: list[tuple[str, str]] = []
        dest = None
        if kind in {"image", "registry"}:
            attributes += self.image_names(name, kind, matrix=matrix)
        elif kind == "docker":
            attributes += self.kept_name(name, matrix=matrix)
        elif kind == "folder":
            kind, dest = "oci", self.path(name, "", matrix=matrix)
            attributes += [("tar", "false")]
        else:
            kind, dest = kind.partition(" ")[0], self.path(name, ".tar", matrix=matrix)
            attributes += [("name", f"{self.repository(name, 'tar', matrix=matrix)}:1")] if chance.happens(0.3) else []
            attributes += [("push", "true")] if attributes and kind == "oci" and chance.happens(0.2) else []
        attributes += self.options(kind)
        return Output(kind, identifier, dest, tuple(attributes), style)

    def kept_name(self, name: str, *, matrix: bool) -> list[tuple[str, str]]:
        chance = self.chance
        if chance.happens(0.3):
            return []
        if chance.happens(0.2):
            # The docker driver turns this docker output into an image output, and pushes it.
            return [("name", f"{self.repository(name, 'kept', matrix=matrix)}:1"), ("push", "true")]
        return [("name", f"kept-{self.names.nonce}-{self.next()}{MATRIX_VARIABLE * matrix}")]

    def image_names(self, name: str, kind: str, *, matrix: bool) -> list[tuple[str, str]]:
        chance = self.chance
        push = kind == "registry" or self.pushes or chance.happens(0.6)
        if not push and chance.happens(0.3):
            return []
        by_digest = push and kind == "image" and self.abilities.own_driver and chance.happens(0.15)
        names = [self.repository(name, "image", matrix=matrix) for _ in range(2 if chance.happens(0.2) else 1)]
        if not by_digest:
            names = [f"{each}{chance.one(('', ':1', ':latest', ':v1.0_x'))}" for each in names]
        found = [("name", ",".join(names))]
        if push and kind == "image":
            found.append(("push", chance.one(("true", "true", "true", "1", "True", ""))))
        elif kind == "image" and chance.happens(0.2):
            found.append(("push", "false"))
        if by_digest:
            found += [("push-by-digest", "true"), ("name-canonical", "true")]
        return found

    def options(self, kind: str) -> list[tuple[str, str]]:
        chance = self.chance
        found: list[tuple[str, str]] = []
        if chance.happens(0.25):
            # BuildKit 0.34 rejects attestations together with oci-mediatypes=false.
            found.append(("oci-mediatypes", chance.one(("true", "false" if self.bare else "true"))))
        if chance.happens(0.2):
            found += [("compression", chance.one(_COMPRESSIONS)), ("force-compression", "true")]
            if found[-2][1] in {"zstd", "gzip"} and chance.happens(0.3):
                found.append(("compression-level", "3"))
        if chance.happens(0.25):
            found.append((f"annotation.{_KEY}", f"output {self.next()}"))
        if kind == "image" and self.abilities.own_driver and chance.happens(0.1):
            found.append(chance.one((("unpack", "false"), ("store", "false"), ("rewrite-timestamp", "true"))))
        return found

    def annotations(self, outputs: Sequence[Output], platforms: Sequence[str]) -> tuple[str, ...]:
        chance = self.chance
        own = any(output.attribute(f"annotation.{_KEY}") for output in outputs)
        if not chance.happens(0.5 if own else 0.2):
            return ()
        # The first one overrides the annotation that an output sets itself.
        kinds = [f"{_KEY}=for all", f"manifest:{_KEY}.manifest=of the manifest, quoted"]
        kinds += [f"index:{_KEY}.index=of the index"] if platforms[1:] else []
        kinds += [f"manifest[{platforms[0]}]:{_KEY}.one=of one"] if platforms else []
        return chance.several(kinds, 2)

    def build_args(self) -> tuple[str, ...]:
        chance = self.chance
        return (
            chance.several(("SOURCE_DATE_EPOCH=1700000000", "WHO=somebody", 'WHAT="quoted", with a comma'), 2)
            if chance.happens(0.2)
            else ()
        )

    def cache_to(self, name: str, *, matrix: bool) -> tuple[str, ...]:
        chance = self.chance
        if not chance.happens(0.25):
            return ()
        kinds = ["type=inline"]
        if self.abilities.caches:
            ref = f"{self.repository(name, 'cache', matrix=matrix)}:c"
            kinds += [f"type=registry,ref={ref},{chance.one(('mode=max', 'image-manifest=true,compression=zstd'))}"]
            kinds += [f"type=local,dest=cache{self.number}{name}{MATRIX_VARIABLE * matrix},mode=max"]
        return chance.several(kinds, 2)

    def tags(self, name: str, outputs: Sequence[Output], *, push: bool, matrix: bool) -> tuple[str, ...]:
        chance = self.chance
        if not chance.happens(0.4 if outputs else 0.8):
            return ()
        pushed = push or any(output.may_push for output in outputs)
        if any(output.attribute("push-by-digest") for output in outputs):
            return ()
        if not pushed and chance.happens(0.5):
            return (f"local-{self.names.nonce}{'-' + name if name else ''}{MATRIX_VARIABLE * matrix}:t",)
        repository = self.repository(name, "tagged", matrix=matrix)
        other = self.repository(name, "tagged", matrix=matrix)
        return chance.several((f"{repository}:1", f"{repository}:latest", f"{other}:1", f"{other}-two"), 3)

    def repository(self, name: str, role: str, *, matrix: bool) -> str:
        """Return a repository in one of the registries that no other output of the run has."""
        registry = self.chance.one((self.names.first, self.names.second))
        middle = self.chance.one(("", "org/", "a/b_c/"))
        suffix = f"-{MATRIX_VARIABLE}" * matrix
        return f"{registry}/{middle}{name or 'app'}-{role}-{self.next()}-{self.names.nonce}{suffix}"

    def path(self, name: str, suffix: str, *, matrix: bool, plain: bool = False) -> str:
        stem = "out folder" if plain else self.chance.one(_STEMS)
        lead = "./" if stem.startswith(("-", "#")) else ""
        return f"{lead}{stem} {self.next()}{name}{MATRIX_VARIABLE * matrix}{suffix}"

    def next(self) -> int:
        self.files += 1
        return self.files
