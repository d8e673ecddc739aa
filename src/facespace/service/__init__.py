"""Galleries over HTTP: an API with keys, limits, queues and metrics. Needs the extra `serve`."""
