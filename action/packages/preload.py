"""Makes ready, while a build runs, what is needed after it: packages are installed and modules imported in a thread."""

from __future__ import annotations

import contextlib
import importlib
import threading
from dataclasses import dataclass
from types import TracebackType

from action.errors import PackagesError
from action.packages.sets import PackageSet, provide
from action.process.program import ProgramGroup


@dataclass(frozen=True)
class PreloadItem:
    """Something to make ready.

    Attributes:
        packages: the packages to have.
        modules: the modules to import then.
    """

    packages: PackageSet
    modules: tuple[str, ...] = ()


class Preloader:
    """Makes parts ready, one after another; to be used in a `with` block, whose end does not wait for the rest.

    Args:
        parts: what is needed, the first needed first.
    """

    def __init__(self, *parts: PreloadItem) -> None:
        """Begin with nothing; `start` begins."""
        self._parts = parts
        self._programs = ProgramGroup()
        self._ready = {part.packages: threading.Event() for part in parts}
        self._errors: dict[PackageSet, PackagesError] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to make the parts ready, if that has not begun yet."""
        if self._thread.ident is None:
            self._thread.start()

    def wait(self, packages: PackageSet) -> None:
        """Wait until a set is there and what was to be imported of it is; one that is no part is provided now.

        Raises:
            PackagesError: it is not here and cannot be installed.
        """
        ready = self._ready.get(packages)
        if ready is None or self._thread.ident is None:
            provide(packages, self._programs)
            return
        ready.wait()
        if packages in self._errors:
            raise self._errors[packages]

    def _run(self) -> None:
        for part in self._parts:
            self._make_ready(part)
            self._ready[part.packages].set()

    def _make_ready(self, part: PreloadItem) -> None:
        try:
            provide(part.packages, self._programs)
        except PackagesError as error:
            self._errors[part.packages] = error
            return
        for module in part.modules:
            # What is wrong with one is said where it is imported again.
            with contextlib.suppress(Exception):
                importlib.import_module(module)

    def __enter__(self) -> Preloader:  # noqa: PYI034  # Self came with Python 3.11
        """Use it in a `with` block, which ends what is still being installed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what is still being installed: nobody waits for it any more."""
        self._programs.kill_all()
