"""Edge: what each command does, a module each, and what it prints."""
