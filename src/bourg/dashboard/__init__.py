"""Streamlit pages: thin scripts over the portrait and the maps."""
