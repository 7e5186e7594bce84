"""What ``retuned demo`` runs: the closed loop, from a change of topic to a rollback, on real conversations."""
