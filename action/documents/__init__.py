"""JSON documents: parsed strictly and within bounds, JSON pointers to faults, and the JSON Schemas."""
