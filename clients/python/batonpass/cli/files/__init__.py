"""Schedules, calendars and schedule templates as files: read, compared with what there is, written."""
