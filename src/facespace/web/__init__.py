"""The library as pages to look at; no arithmetic on embeddings."""

from facespace.web.page import write_page

__all__ = ["write_page"]
