from action.api.builds import bake as bake
from action.api.builds import build as build
from action.api.results import inspect as inspect
from action.api.results import merge as merge
from action.api.results import validate as validate
from action.errors import BuildDigestsError as BuildDigestsError
from action.errors import BuildFailedError as BuildFailedError
from action.errors import DisagreementError as DisagreementError
from action.errors import DocumentError as DocumentError
from action.errors import EvidenceError as EvidenceError
from action.errors import InputError as InputError
from action.errors import MergeError as MergeError
from action.errors import MissingDigestError as MissingDigestError
from action.errors import PackagesError as PackagesError
from action.errors import ProgramError as ProgramError
from action.errors import RegistryError as RegistryError
from action.errors import VerificationError as VerificationError
from action.results import BakeResults as BakeResults
from action.results import BuildResults as BuildResults
from action.results import CacheResult as CacheResult
from action.results import ComparisonResult as ComparisonResult
from action.results import ExporterResult as ExporterResult
from action.results import LayerResult as LayerResult
from action.results import PlatformComparisonResult as PlatformComparisonResult
from action.results import PlatformResult as PlatformResult
from action.results import ResultDescriptor as ResultDescriptor

__version__: str

__all__ = [
    "BakeResults",
    "BuildDigestsError",
    "BuildFailedError",
    "BuildResults",
    "CacheResult",
    "ComparisonResult",
    "DisagreementError",
    "DocumentError",
    "EvidenceError",
    "ExporterResult",
    "InputError",
    "LayerResult",
    "MergeError",
    "MissingDigestError",
    "PackagesError",
    "PlatformComparisonResult",
    "PlatformResult",
    "ProgramError",
    "RegistryError",
    "ResultDescriptor",
    "VerificationError",
    "__version__",
    "bake",
    "build",
    "inspect",
    "merge",
    "validate",
]
