"""Declaration: what a study is. Standard library only."""
