"""The registry knows versions, their lineage, the gate they pass and which one is live."""
