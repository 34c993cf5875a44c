"""The results document: every exporter of a build with its digest and where that comes from."""
