"""CompreFace's REST API over the same galleries, so that its clients need a new address and a new key, and no new code.

Source: docs/Rest-API-description.md and the controllers of exadel-inc/CompreFace (Apache-2.0). What differs stands in
docs/service.md.
"""

from facespace.service.compreface import embeddings, examples, pictures, subjects
from facespace.service.compreface.asked import answer

__all__ = ["ROUTERS", "answer"]

ROUTERS = tuple(part.router for part in (subjects, examples, pictures, embeddings))
