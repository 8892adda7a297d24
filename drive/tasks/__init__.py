"""The commands: one file each, with its parser and its run and no logic of its own."""
