"""Learners turn a training request into a run. torch, transformers and peft are imported only here."""
