"""Networks as files for other runtimes, the ONNX writer and the quantiser."""
