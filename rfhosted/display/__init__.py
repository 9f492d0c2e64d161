"""What a notebook shows: drawn images, tables, HTML, plots. Nothing here sends or parses."""
