"""Training that both networks share: epochs, prefetch, averages, schedules, checkpoints, resume."""
