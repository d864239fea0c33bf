"""What Bourg publishes as open data: a data package, a DCAT-AP catalogue, a reuse card for data.gouv.fr."""
