"""Faces in a picture: detect (ONNX; arrays in) and align."""
