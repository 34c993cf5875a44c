"""OCI content: descriptors, manifests and indexes, and the image layouts that hold them."""
