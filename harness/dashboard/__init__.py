"""Edge: a study mirrored into Optuna while it runs, and optuna-dashboard on top of it."""
