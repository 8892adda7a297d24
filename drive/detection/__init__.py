"""Detection of cars: networks, decoding, tiles, tracking, distance, data, training, evaluation."""
