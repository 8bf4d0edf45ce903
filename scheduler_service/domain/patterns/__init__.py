"""Content patterns in the language of EventBridge."""
