"""Measuring pictures and speed: metrics, benchmark scenes, report."""
