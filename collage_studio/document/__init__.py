"""The collage as an immutable value. Neither Qt nor torch may be imported here."""
