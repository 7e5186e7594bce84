"""Trainings as Jobs of a Kubernetes cluster.

A training has one Job, named by the digest of its request, so creating it twice adopts the first. Request, data, result and
artifact travel through the artifact store (``daemon.jobs``); the API server is asked to create, watch and delete, and for the
log, whose lines tell the progress. Only the artifact store says how a training ended: a Job is deleted after its TTL.

``template`` and ``manifest`` say what is created, ``facts`` and ``diagnosis`` what became of it; they are pure. ``api`` alone
imports lightkube. ``lifecycle`` takes one training from its files to its end, ``training`` does so in a thread.
"""
