"""Published models in formats that other runtimes read."""

from zoo.exports.onnx_files import export_onnx

__all__ = ["export_onnx"]
