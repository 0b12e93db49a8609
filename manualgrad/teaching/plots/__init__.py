"""Pictures of the lesson."""
