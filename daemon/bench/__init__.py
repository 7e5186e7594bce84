"""The benchmark of drift detectors behind `retuned bench drift`."""
