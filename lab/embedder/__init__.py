"""The last layers of the built-in embedders, taught again so that a distance means the same for all people."""
