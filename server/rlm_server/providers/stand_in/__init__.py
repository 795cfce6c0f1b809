"""The built-in stand-in model: it answers without a vendor, by rules."""
