"""Results: poses in picture pixels, drawing them and writing them to files."""
