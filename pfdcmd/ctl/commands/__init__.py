"""The commands, one family a file; `pfdcmd.ctl.cli` has the list."""
