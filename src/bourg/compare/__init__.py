"""The comparison engine: sets of communes, ranks, similar towns, profiles, specificities."""
