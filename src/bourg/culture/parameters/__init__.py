"""Dated parameters of culture: kinds of places, deserts, density, seasons of festivals."""
