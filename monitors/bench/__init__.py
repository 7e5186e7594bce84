"""The benchmark of drift detectors on streams with and without a change."""
