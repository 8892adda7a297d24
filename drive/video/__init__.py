"""Video in and out: sources, probe, reader and clock, writer, audio."""
