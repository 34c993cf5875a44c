"""The tars and folders that outputs wrote."""
