"""Pictures, one file for each command that draws one."""
