"""Trainings in other pods: what travels through the artifact store, and what runs there.

A job is one training request with its data. It has a folder of its own in the artifact store, named by the SHA-256 of its
``request.json``; daemon and pod share nothing else. The pod runs ``retuned train-job`` (``daemon.jobs.pod``).
"""
