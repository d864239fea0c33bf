"""The static site: the same portraits as plain pages that any town can host for nothing."""
