"""Training as both networks share it: epochs, prefetch, averaging, schedules, checkpoints, resume.

Knows Keras models and batches; neither steering nor detection.
"""
