"""Many calls: one loop that runs them, reports progress, stops, and keeps results and errors."""
