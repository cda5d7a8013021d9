"""Okapia: the camera-trap image API that you run yourself."""

__version__ = "0.1.0"
