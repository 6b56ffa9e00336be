"""What a run leaves behind: committed parts, their repair, summary, report, tables and sorted folders."""
