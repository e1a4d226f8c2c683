"""What the command line does without a window. No Qt; torch only once a run begins."""
