"""The files of a release: packages, the action's archive, a software bill of materials, and release notes."""
