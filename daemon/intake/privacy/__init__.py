"""Makes records fit to be kept: whose may be stored, and personal data taken out."""
