"""Protocols that judge models and detectors on data sets; nothing here trains."""
