"""Culture: kinds of places, categories, spread over a territory, deserts, density, festivals; no page, no Streamlit."""
