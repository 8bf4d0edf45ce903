"""The Scheduler service: owns schedules, fires them once each, and hands the tasks over to the Queue."""
