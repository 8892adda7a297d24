"""Convert networks to other formats: the ONNX writer, the quantiser, LiteRT, SavedModel."""
