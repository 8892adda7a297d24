"""Sources through the models to results: one source in threads, many in processes."""
