"""What people look at: annotated video, overlay, plots, previews. Knows no model."""
