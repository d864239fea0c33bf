"""What one travels from and to: inhabitants as points, and facilities of every source."""
