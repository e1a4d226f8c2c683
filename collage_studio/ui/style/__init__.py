"""The look: tokens, palette, style sheet, icons, fonts."""
