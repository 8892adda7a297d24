"""Plain types, errors, regions and files. Knows no video, network or drawing."""
