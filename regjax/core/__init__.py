"""Foundations that all other rooms use; nothing here is about learning."""
