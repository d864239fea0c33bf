"""One module per page: it draws, it does not compute.

Streamlit would take a folder named ``pages`` for its own.
"""
