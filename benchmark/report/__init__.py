"""What a run says: estimates of every cell, claims, tables, plots, pictures, and the files that are published."""
