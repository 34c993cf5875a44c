"""Models of the results document (`schemas/results.schema.json`) and of the step output `digests`.

The two schemas are generated from these models (`make schemas`), so that the description of a field is what a message
about a faulty document says. All models are immutable and ignore unknown members.

Example:
    results = BuildResults.model_validate_json(Path("results.json").read_bytes())
    print(results.digests["release"])
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from action.oci.models import Digest as OciDigest
from action.oci.models import Items

# By hand: one pattern for all algorithms could not say that it is the length of a sha256 digest that is wrong.
_DIGEST_SCHEMA = {
    "title": "Digest",
    "description": "a digest: algorithm, colon, encoded hash; for sha256 64 lower-case hexadecimal digits",
    "examples": ["sha256:b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78"],
    "type": "string",
    "maxLength": 256,
    "pattern": "^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-zA-Z=_-]+$(?!\\n)",
    "if": {"type": "string", "pattern": "^sha256:"},
    "then": {
        "description": "a sha256 digest: sha256: and 64 lower-case hexadecimal digits",
        "pattern": "^sha256:[0-9a-f]{64}$(?!\\n)",
    },
}

_INDEX = "application/vnd.oci.image.index.v1+json"
_DIGEST_OR_NULL = f"{_DIGEST_SCHEMA['description']}; or null if it is unknown"

Digest = TypeAliasType("Digest", Annotated[OciDigest, WithJsonSchema(_DIGEST_SCHEMA)])
"""A digest."""

Key = TypeAliasType(
    "Key",
    Annotated[
        str,
        Field(
            title="Key",
            description="an exporter's key: its ID of letters, digits, '_', '.' and '-', or its index as a string",
            examples=["release", "1"],
            pattern=r"^[A-Za-z0-9_.-]+$",
        ),
    ],
)
"""The key of an exporter."""

Evidence = Literal["response", "record", "artifact"]
"""Where a digest comes from."""


def _version(number: int) -> int:
    if number != 1:
        raise PydanticCustomError("version", "expected the version of this format: 1")
    return number


# Not `Literal[1]`: it accepts true and 1.0, which are equal to 1 in Python.
_Version = Annotated[
    int, AfterValidator(_version), WithJsonSchema({"description": "the version of this format: 1", "const": 1})
]


def _described(title: str, text: str) -> ConfigDict:
    """Return the configuration of a model; title and text describe it in the schema."""
    return ConfigDict(
        title=title,
        frozen=True,
        extra="ignore",
        strict=True,
        serialize_by_alias=True,
        json_schema_extra={"description": text},
    )


_SIZE = "the bytes of config and layers, compressed, without attestations: a whole number, not negative, or null"


class ResultDescriptor(BaseModel):
    """The OCI descriptor of a manifest or an index."""

    model_config = _described("OCI descriptor", "an OCI descriptor: an object with mediaType, digest and size")

    media_type: str = Field(alias="mediaType", description="a media type: a string", examples=[_INDEX], min_length=1)
    digest: Digest
    size: int = Field(description="a size in bytes: a whole number, not negative", ge=0)


class PlatformResult(BaseModel):
    """One platform's image."""

    model_config = _described(
        "Image of one platform", "one platform's image: an object with platform, digest and imageid"
    )

    platform: str | None = Field(description="a platform such as linux/arm64, or null", examples=["linux/arm64"])
    digest: Digest
    imageid: Digest | None = Field(description=_DIGEST_OR_NULL)
    size: int | None = Field(default=None, description=_SIZE, ge=0)


class LayerResult(BaseModel):
    """A layer of an image."""

    model_config = _described("Layer", "a layer: an object with digest, size and created_by")

    digest: Digest
    size: int = Field(description="the compressed size in bytes: a whole number, not negative", ge=0)
    created_by: str | None = Field(
        description="the beginning of the instruction that made it: a string, or null",
        examples=["COPY hello.txt /hello.txt # buildkit"],
    )


_SIZE_OR_NULL = "the bytes of config and layers, compressed, or null if the image does not have this platform"


class PlatformComparisonResult(BaseModel):
    """The comparison of one platform's images."""

    model_config = _described("Comparison of one platform", "a comparison of one platform's images: an object")

    platform: str | None = Field(description="a platform such as linux/arm64, or null", examples=["linux/arm64"])
    changed: bool = Field(description="true or false: whether config or layers differ")
    size: int | None = Field(description=_SIZE_OR_NULL, ge=0)
    compared_size: int | None = Field(description=_SIZE_OR_NULL, ge=0)
    added: Items[LayerResult] = Field(description="a list of the layers that only this build's image has")
    removed: Items[LayerResult] = Field(description="a list of the layers that only the compared image has")


class ComparisonResult(BaseModel):
    """The comparison of an exporter's image with the image of the input `compare`."""

    model_config = _described("Comparison", "a comparison with another image: an object, or null")

    image: str = Field(description="the image as `compare` names it: a string", examples=["ghcr.io/octo/app:main"])
    digest: Digest | None = Field(description="its digest, or null if it does not exist or is unknown")
    changed: bool | None = Field(description="true, false, or null if it is unknown: whether config or layers differ")
    platforms: Items[PlatformComparisonResult] = Field(description="the platforms of both images: a list")


class ExporterResult(BaseModel):
    """An exporter of a build and what it made."""

    model_config = _described("Exporter", "an exporter: an object")

    key: Key
    index: int = Field(description="an index: the output's place, from 0", ge=0)
    id: str | None = Field(
        description="an exporter ID: letters, digits, '_', '.' and '-', not all digits; or null",
        examples=["release"],
        pattern=r"^[0-9]*[A-Za-z_.-][A-Za-z0-9_.-]*$",
    )
    type: str = Field(description="an exporter type: a string", examples=["image"], min_length=1)
    names: Items[Annotated[str, Field(description="an image name: a string")]] = Field(
        description="image names: a list of strings", examples=[["ghcr.io/octo/app:1"]]
    )
    push: bool = Field(description="true or false: whether it was pushed")
    dest: str | None = Field(description="the path it was written to: a string, or null", examples=["app.tar"])
    digest: Digest | None = Field(description=_DIGEST_OR_NULL)
    imageid: Digest | None = Field(description=_DIGEST_OR_NULL)
    size: int | None = Field(default=None, description=_SIZE, ge=0)
    descriptor: ResultDescriptor | None = Field(description="an OCI descriptor, or null")
    platforms: Items[PlatformResult] = Field(description="platforms: a list")
    evidence: Evidence | None = Field(description="the source of the digest: response, record, artifact or null")
    comparison: ComparisonResult | None = Field(
        default=None,
        description="the comparison with the image of `compare`, or null",
        exclude_if=lambda comparison: comparison is None,
    )


class CacheResult(BaseModel):
    """A cache exporter of a build and what it wrote."""

    model_config = _described("Cache exporter", "a cache exporter: an object")

    key: Key
    index: int = Field(description="an index: the place of the entry in cache-to, from 0", ge=0)
    id: str | None = Field(
        description="an ID: letters, digits, '_', '.' and '-', not all digits; or null",
        examples=["main"],
        pattern=r"^[0-9]*[A-Za-z_.-][A-Za-z0-9_.-]*$",
    )
    type: str = Field(description="a cache type: a string", examples=["registry"], min_length=1)
    ref: str | None = Field(
        description="the image name of the cache: a string, or null", examples=["ghcr.io/octo/app:cache"]
    )
    dest: str | None = Field(description="the folder it was written to: a string, or null", examples=["cache"])
    digest: Digest | None = Field(description=_DIGEST_OR_NULL)
    evidence: Evidence | None = Field(description="the source of the digest: response, record, artifact or null")


class BuildResults(BaseModel):
    """The results of one build.

    `digest` and `imageid` are those of the first exporter that makes an image.
    """

    model_config = _described(
        "Results of a build", "results of one build: an object with ref, digest, imageid and exporters"
    )

    version: _Version = 1
    ref: str | None = Field(
        description="a build reference: builder/node/ref, or null if it is not known",
        examples=["default/default/kjudg3h3b1u2l7i9m0v5xg4ts"],
        pattern=r"^[^/\s]+/[^/\s]+/[^/\s]+$",
    )
    digest: Digest | None = Field(description=_DIGEST_OR_NULL)
    imageid: Digest | None = Field(description=_DIGEST_OR_NULL)
    exporters: Items[ExporterResult] = Field(
        description="exporters: a list, in the user's order, and then those that buildx added"
    )
    caches: Items[CacheResult] = Field(default=(), description="cache exporters: a list, in the user's order")

    @property
    def digests(self) -> dict[str, str]:
        """Exporter key to digest, in the user's order, of every exporter that has a digest."""
        return {exporter.key: exporter.digest for exporter in self.exporters if exporter.digest}

    @property
    def imageids(self) -> dict[str, str]:
        """Exporter key to image ID, in the user's order, of every exporter that has an image ID."""
        return {exporter.key: exporter.imageid for exporter in self.exporters if exporter.imageid}

    @property
    def changed(self) -> dict[str, bool]:
        """Exporter key to whether its image changed, in the user's order, if it was compared and that is known."""
        compared = {exporter.key: exporter.comparison for exporter in self.exporters if exporter.comparison}
        return {key: each.changed for key, each in compared.items() if each.changed is not None}

    @property
    def cache_digests(self) -> dict[str, str]:
        """Key to digest, in the user's order, of every cache exporter that has a digest."""
        return {cache.key: cache.digest for cache in self.caches if cache.digest}


class BakeResults(BaseModel):
    """The results of a bake: target name to the results of its build."""

    model_config = _described("Results of a bake", "results of a bake: an object with targets")

    version: _Version = 1
    targets: dict[str, BuildResults] = Field(description="targets: an object of target name to its results")

    @property
    def digests(self) -> dict[str, dict[str, str]]:
        """Target name to exporter key to digest, of every exporter that has a digest."""
        return {name: build.digests for name, build in self.targets.items()}

    @property
    def imageids(self) -> dict[str, dict[str, str]]:
        """Target name to exporter key to image ID, of every exporter that has an image ID."""
        return {name: build.imageids for name, build in self.targets.items()}

    @property
    def changed(self) -> dict[str, dict[str, bool]]:
        """Target name to exporter key to whether its image changed, if it was compared and that is known."""
        return {name: build.changed for name, build in self.targets.items()}


class Digests(
    RootModel[
        dict[
            str,
            Annotated[
                Digest | Annotated[dict[Key, Digest], Field(description="an object of exporter key to digest")],
                Field(description="a digest, or an object of exporter key to digest"),
            ],
        ]
    ]
):
    """The step output `digests`: exporter key to digest, or for a bake target name to such an object."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        json_schema_extra={
            "description": "digests: an object of exporter key to digest, or of bake target to such an object"
        },
    )
