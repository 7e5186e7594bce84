"""The checks of ``retuned doctor``. They change nothing, unless you pass ``--create-topics``."""
