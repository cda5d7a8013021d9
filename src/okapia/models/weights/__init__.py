"""Where networks come from and where they live: package archives in, checked and converted ONNX out."""
