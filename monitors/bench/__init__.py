"""The benchmark of drift detectors: streams with and without a change, ours and others on the same ones, and figures."""
