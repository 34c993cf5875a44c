"""Preloading: while buildx runs, a thread installs packages and imports the modules that are needed after the build."""

from __future__ import annotations

import contextlib
import importlib
import threading
from dataclasses import dataclass
from types import TracebackType

from action.errors import PackagesError
from action.packages.sets import PackageSet, provide
from action.process.program import ProgramGroup
from action.process.signals import wait_for


@dataclass(frozen=True)
class PreloadItem:
    """Packages to install, and modules to import after that.

    Attributes:
        packages: the packages.
        modules: the modules' full names, of this package or of others.
    """

    packages: PackageSet
    modules: tuple[str, ...] = ()


class Preloader(contextlib.AbstractContextManager["Preloader"]):
    """Thread that preloads items, one after another; for a `with` block, whose end does not wait for the thread.

    Example:
        with Preloader(PreloadItem(MODELS, ("action.pipeline.conclude",))) as preloader:
            run_program(command, environment, on_start=preloader.start)
            preloader.wait(MODELS)

    Args:
        items: what is needed after the build, in the order in which it is needed.
    """

    # The imports run in a thread although they hold Python's lock: buildx is another process, and this one only waits
    # for it meanwhile.

    def __init__(self, *items: PreloadItem) -> None:
        """Prepare the thread; `start` starts it."""
        self._items = items
        self._programs = ProgramGroup()
        self._ready = {item.packages: threading.Event() for item in items}
        self._errors: dict[PackageSet, PackagesError] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start to preload, unless that was done before."""
        if self._thread.ident is None:
            self._thread.start()

    def wait(self, packages: PackageSet) -> None:
        """Wait until a set is installed and its modules are imported.

        A set that is not among the items, or whose preloading was not started, is installed now.

        Args:
            packages: the set.

        Raises:
            PackagesError: the set is missing and cannot be installed.
        """
        ready = self._ready.get(packages)
        if ready is None or self._thread.ident is None:
            provide(packages, self._programs)
            return
        wait_for(ready)
        if packages in self._errors:
            raise self._errors[packages]

    def _run(self) -> None:
        for item in self._items:
            self._preload(item)
            self._ready[item.packages].set()

    def _preload(self, item: PreloadItem) -> None:
        try:
            provide(item.packages, self._programs)
        except PackagesError as error:
            self._errors[item.packages] = error
            return
        for module in item.modules:
            # An error is raised again where the module is imported, in the main thread, which can report it.
            with contextlib.suppress(Exception):
                importlib.import_module(module)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill an installation that still runs, since nothing waits for it any more."""
        self._programs.kill_all()
