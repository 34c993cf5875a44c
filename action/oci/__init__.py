"""Images as the OCI specifications define them: references, platforms, manifests, tars and layouts."""
