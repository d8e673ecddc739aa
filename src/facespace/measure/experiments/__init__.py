"""One file for each experiment; `facespace.measure.registry` lists them."""
