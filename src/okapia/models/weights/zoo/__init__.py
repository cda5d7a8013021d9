"""The public zoo of camera-trap models: found by name, fetched, unpacked safely, read as it is.

The zoo is a record of ZIP archives, one a model, each with a manifest beside its ONNX network.
`Zoo` in `okapia.models.weights.zoo.zoo` is the door.
"""
