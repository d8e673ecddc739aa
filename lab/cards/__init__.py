"""Model cards: every figure measured in one go, kept as JSON, and written into the Markdown."""
