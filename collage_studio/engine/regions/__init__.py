"""What lies where: masks, segments, windows and predictions merged by weight."""
