"""What a good engineer would write by hand instead: each rival is as good as we could make it."""
