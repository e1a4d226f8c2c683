"""Small parts that know no document: bars, segments, buttons, popovers, notices."""
