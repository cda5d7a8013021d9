"""Published weights to ONNX, without the frameworks that trained them.

Each converter module exports `convert(members)`: the files of an archive, by path, become one
network whose input is called `images`. It raises `ModelDamaged` where they are not what it
expects. Nothing else in Okapia imports `onnx`.
"""
