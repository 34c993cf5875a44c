"""Fuzz targets: functions that pass bytes to a reader of `action`, and raise only if it breaks a promise."""
