"""Train the face detector, export it and measure it: `recipe` is what the shipped weights come from."""
