"""The `outputs` input: what each entry asks for, and which exporters a build is expected to run."""
