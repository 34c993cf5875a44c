"""Outputs as the user wrote them, the exporters they ask for, and which digest belongs to which exporter."""
