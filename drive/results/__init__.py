"""The files of a run folder: schema, writers and readers."""
