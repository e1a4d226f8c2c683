"""Tools that cut out: mask brush, eraser, lasso, pick, and removing backgrounds."""
