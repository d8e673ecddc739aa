"""facespace: faces as points of a space in which distance says how alike they are."""
