"""What each source claims of one exporter, and the check that the sources agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from action.errors import DisagreementError
from action.exporters.attributed import Evidence
from action.exporters.requested import RequestedExporter
from action.oci.image import Image


class Claim(NamedTuple):
    """The image that one source claims for an exporter.

    Attributes:
        evidence: the kind of source.
        source: the source's name in messages.
        image: the image.
    """

    evidence: Evidence
    source: str
    image: Image


Claims = Sequence[Claim]
"""All claims about one exporter, the strongest first."""


def check_agreement(exporter: RequestedExporter, claims: Claims) -> None:
    """Check that all claims about an exporter have the same digest and the same image ID, as far as they have one.

    Raises:
        DisagreementError: two claims differ; neither can be trusted, because one source belongs to another build.
    """
    digests = [(claim.source, claim.image.digest) for claim in claims if claim.image.digest]
    imageids = [(claim.source, claim.image.imageid) for claim in claims if claim.image.imageid]
    for name, values in (("digest", digests), ("image ID", imageids)):
        for source, value in values[1:]:
            first_source, first = values[0]
            if value != first:
                raise DisagreementError(
                    f"exporter {exporter.key} ({exporter.type}): {first_source} says {name} {first}, "
                    f"{source} says {value}; neither is reported. If another build writes to the same place, "
                    "run one after the other"
                )
