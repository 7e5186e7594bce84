"""Conversations as token ids: templates, masks and packed rows."""
