"""Edge: Optuna proposes settings, the runner tries them, the best of each variant is compared."""
