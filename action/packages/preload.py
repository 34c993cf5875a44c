"""Preloading: while buildx runs, threads install packages and import the modules that are needed after the build."""

from __future__ import annotations

import contextlib
import importlib
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from action.dataclass import dataclass, field
from action.errors import PackagesError
from action.packages.sets import NEEDED_ONCE, PackageSet, is_installed, provide
from action.process.program import ProgramGroup
from action.process.signals import wait_for

DIGEST_SECONDS = 120.0
"""Seconds that a step waits for packages after the build if a digest or `verify` needs them."""

REPORT_SECONDS = 20.0
"""Seconds that a step waits for packages after the build, in all, for everything else, such as a summary."""


_START_SECONDS = 0.4
"""Seconds that an installation begins after buildx: until buildx has printed its first line on a machine at rest."""

WITHOUT_PACKAGES = (
    "Without them, digests that only the build record or a tar gives are missing, and so are summary, comment and "
    "annotations. On a runner without an index, run action/start.py install on it once, as docs/reference.md describes"
)
"""What a step lacks without its packages, and what to do."""


@dataclass(frozen=True)
class PreloadItem:
    """Packages to install, and modules to import once these packages and those of the items before are installed.

    Attributes:
        packages: the packages, or None for modules that need none.
        modules: the modules' full names, of this package or of others.
    """

    packages: PackageSet | None
    modules: tuple[str, ...] = ()


@dataclass
class _Installation:
    """A set that is being installed.

    Attributes:
        ended: an event that is set once it is installed, or cannot be.
        error: why it cannot be, or None.
    """

    ended: threading.Event = field(default_factory=threading.Event)
    error: PackagesError | None = None


class Preloader(contextlib.AbstractContextManager["Preloader"]):
    """Threads that preload items; for a `with` block, whose end does not wait for them.

    The sets are installed at the same time; the modules are imported one after another, in the order of the items.

    Example:
        with Preloader(PreloadItem(None, ("action.steps.finish",)), PreloadItem(MODELS)) as preloader:
            run_program(command, environment, on_start=preloader.start)
            preloader.wait(MODELS)

    Args:
        items: what is needed after the build, in the order in which it is needed.
        last: is called in the thread once all items are there, with `programs`.

    Attributes:
        programs: the group whose programs the end of the `with` block kills.
    """

    # The imports run in a thread although they hold Python's global lock: meanwhile the main thread only waits for
    # buildx, which is another process.

    def __init__(self, *items: PreloadItem, last: Callable[[ProgramGroup], None] | None = None) -> None:
        """Prepare the threads; `start` starts them."""
        self._items = items
        self._last = last
        self.programs = ProgramGroup()
        self._installations: dict[PackageSet, _Installation] = {}
        self._started = False
        self._ends: dict[float, float] = {}
        # Set once a result waits for packages: from then on no installation waits for buildx to start.
        self._hurry = threading.Event()

    def start(self) -> None:
        """Start to preload, unless that was done before."""
        if self._started:
            return
        self._started = True
        for item in self._items:
            if item.packages is not None:
                self._installation(item.packages)
        threading.Thread(target=self._import, args=(dict(self._installations),), daemon=True).start()

    def wait(self, *sets: PackageSet) -> None:
        """Wait until sets are installed, at most DIGEST_SECONDS together with all earlier calls of this method.

        Args:
            sets: the sets. One that is not among the items is installed now.

        Raises:
            PackagesError: one is missing and cannot be installed, or not in this time.
        """
        self._wait(sets, DIGEST_SECONDS)

    def wait_for_report(self, *sets: PackageSet) -> None:
        """Wait as `wait` does, for what no digest depends on: at most REPORT_SECONDS.

        Args:
            sets: the sets.

        Raises:
            PackagesError: one is missing and cannot be installed, or not in this time.
        """
        self._wait(sets, REPORT_SECONDS)

    def _wait(self, sets: tuple[PackageSet, ...], seconds: float) -> None:
        end = self._ends.setdefault(seconds, time.monotonic() + seconds)
        self._hurry.set()
        # All are started before the first is waited for, so that they are installed at the same time.
        installations = [self._installation(packages) for packages in sets]
        for installation in installations:
            if not wait_for(installation.ended, end - time.monotonic()):
                problem = f"the installer has not ended {seconds:g} s after the build"
                raise PackagesError(f"the action's packages cannot be installed: {problem}; {NEEDED_ONCE}")
            if installation.error is not None:
                raise installation.error

    def _installation(self, packages: PackageSet) -> _Installation:
        """Return the installation of a set, and start it unless that was done before."""
        if packages not in self._installations:
            installation = self._installations[packages] = _Installation()
            threading.Thread(target=self._install, args=(packages, installation), daemon=True).start()
        return self._installations[packages]

    def _install(self, packages: PackageSet, installation: _Installation) -> None:
        try:
            if not is_installed(packages):
                # buildx starts meanwhile, and an installer would take the processors from it.
                self._hurry.wait(_START_SECONDS)
            provide(packages, self.programs)
        except PackagesError as error:
            installation.error = error
        installation.ended.set()

    def _import(self, installations: Mapping[PackageSet, _Installation]) -> None:
        for item in self._items:
            if item.packages is not None:
                installations[item.packages].ended.wait()
            for module in item.modules:
                # An error is raised again where the module is imported, in the main thread, which can report it.
                with contextlib.suppress(Exception):
                    importlib.import_module(module)
        if self._last is not None:
            self._last(self.programs)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill the installations that still run, since nothing waits for them any more."""
        self.programs.kill_all()
