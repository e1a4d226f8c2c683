"""Use cases without windows. Neither Qt nor torch may be imported here."""
