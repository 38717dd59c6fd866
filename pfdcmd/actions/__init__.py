"""The actions: one file each, named after the action. The table of them is in pfdcmd.dispatch."""
