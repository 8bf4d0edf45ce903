"""What both services share; knows no word of either domain."""
