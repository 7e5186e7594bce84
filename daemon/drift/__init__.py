"""Drift: detects it, confirms it window by window, and judges whether it hurts."""
